"""The client against the retry table and against schedules of faults: never two jobs, and never a wrong word of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from conductor.lib.exceptions import TryAgainError
from conductor_contracts.retries import Case, load_retries
from conductor_contracts.strategies import fault_schedules
from support.examples import examples
from support.farm import without_explanation
from support.retrying import Bench, Result, bench_in_process, bench_on_a_socket
from support.server import ManualWall

CASES = load_retries()
GROUPS = sorted({(case.operation, case.keys) for case in CASES}, key=str)
SHORT_S = 1.0
"""How long a client waits for an answer that is stalled; far longer than any other answer takes."""


def cases_of(operation: str, keys: bool | None) -> list[Case]:
    return [case for case in CASES if (case.operation, case.keys) == (operation, keys)]


def difference(case: Case, result: Result) -> str:
    """What is not as the table says; empty if everything is."""
    least, most = case.requests
    effects = None if case.effects is None else result.effects
    if least <= result.requests <= most and (result.outcome, effects) == (case.outcome, case.effects):
        return ""
    return f"{case}: got {result.requests} requests, {result.outcome}, {effects}: {result.error}"


@pytest.mark.parametrize(("operation", "keys"), GROUPS, ids=str)
def test_the_client_keeps_the_retry_table(tmp_path: Path, operation: str, keys: bool | None) -> None:
    with bench_in_process(tmp_path, keys=keys is not False) as bench:
        found = [difference(case, bench.run(case)) for case in cases_of(operation, keys)]
    assert found
    assert [line for line in found if line] == []


@pytest.mark.parametrize(
    ("operation", "keys"), [("jobs.create", True), ("jobs.create", False), ("objects.put", None)], ids=str
)
def test_the_client_keeps_the_retry_table_over_a_socket(
    tmp_path: Path, operation: str, keys: bool | None
) -> None:
    cases = cases_of(operation, keys)
    quick = [case for case in cases if case.fault["kind"] not in ("stall", "after_close")]
    with bench_on_a_socket(tmp_path, keys=keys is not False) as bench:
        found = [difference(case, bench.run(case)) for case in quick]
    assert found
    assert [line for line in found if line] == []


@pytest.mark.parametrize("keys", [True, False], ids=["keys", "no keys"])
def test_a_stalled_answer_is_not_waited_for_for_ever(tmp_path: Path, keys: bool) -> None:
    (case,) = [
        case for case in cases_of("jobs.create", keys) if case.fault["kind"] == "stall" and case.times == 1
    ]
    with bench_on_a_socket(tmp_path, keys=keys, read_timeout=SHORT_S) as bench:
        assert difference(case, bench.run(case)) == ""


def test_a_client_that_is_told_when_to_come_back_waits_so_long(tmp_path: Path) -> None:
    told = [
        case for case in cases_of("jobs.create", True) if case.fault.get("retry_after") and case.times == 1
    ]
    assert told
    with bench_in_process(tmp_path) as bench:
        for case in told:
            bench.waits.clear()
            bench.run(case)
            assert bench.waits == [case.fault["retry_after"]], case.id


# Schedules of faults


OPERATIONS = ("jobs.create", "jobs.create", "jobs.create", "jobs.list", "auth.token")
"""Those that a submission makes."""


@pytest.mark.hypothesis
@pytest.mark.share(5)
@pytest.mark.parametrize("keys", [True, False], ids=["keys", "no keys"])
def test_whatever_goes_wrong_there_are_never_two_jobs_and_the_client_knows(
    tmp_path: Path, keys: bool
) -> None:
    @examples(30, full=150, parent=without_explanation)
    @given(schedule=fault_schedules(operations=OPERATIONS))
    def holds(schedule: list[dict[str, Any]]) -> None:
        result = bench.play("jobs.create", schedule)
        _promise_is_kept(bench, result, keys=keys)

    with bench_in_process(tmp_path, keys=keys) as bench:
        holds()


def _promise_is_kept(bench: Bench, result: Result, *, keys: bool) -> None:
    """A success is one job, that one; a failure is none, and may be tried again; unknown is at most one.

    Of a submission that was carried out twice without a key the client hears of the second job only.
    """
    made = [job["jid"] for job in bench.control.jobs()]
    doubled = 0 if keys else bench.consumed("duplicate", "jobs.create")
    if result.outcome == "success":
        answer, status = result.answer
        assert (status, len(made)) == (201, 1 + doubled)
        assert answer["jobid"] == made[-1]
    elif result.outcome == "failure":
        assert made == [], result.error
    else:
        assert len(made) <= 1, result.error
    if isinstance(result.error, TryAgainError):
        again = bench.play_on("jobs.create")
        assert (again.outcome, again.effects) == ("success", 1), "it was safe to submit again"


def test_a_client_that_waits_as_it_is_told_comes_within_any_quota(tmp_path: Path) -> None:
    wall = ManualWall(us=time.time_ns() // 1000)  # the client compares its clock with that of the service
    rule = {"match": {"operation": "jobs.create"}, "fault": {"kind": "quota", "requests": 2, "seconds": 60}}
    with bench_in_process(tmp_path, wall=wall) as bench:
        results = bench.play_often("jobs.create", [rule], 5)
    assert [result.outcome for result in results] == ["success"] * 5
    assert (results[-1].effects, bench.waits) == (5, [60.0, 60.0])
