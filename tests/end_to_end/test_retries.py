"""The client against the retry table and against schedules of faults: never two jobs, and never a wrong word of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.lib.exceptions import TryAgainError
from conductor_contracts.retries import Case, load_faults, load_retries
from support.farm import without_explanation
from support.retrying import Bench, Result, bench_in_process, bench_on_a_socket

CASES = load_retries()
GROUPS = sorted({(case.operation, case.keys) for case in CASES}, key=str)
EXAMPLES = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 300
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
    quick = [case for case in cases if case.fault["kind"] != "stall"]
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


def rules() -> st.SearchStrategy[dict[str, Any]]:
    """A fault for some requests of one of the operations that a submission makes."""
    operations = st.sampled_from(["jobs.create", "jobs.create", "jobs.create", "jobs.list", "auth.token"])
    return st.builds(
        lambda operation, fault, times, skip: {
            "match": {"operation": operation},
            "fault": fault,
            "times": times,
            "skip": skip,
        },
        operations,
        st.sampled_from(list(load_faults().values())),
        st.integers(1, 6),
        st.integers(0, 3),
    )


@pytest.mark.parametrize("keys", [True, False], ids=["keys", "no keys"])
def test_whatever_goes_wrong_there_are_never_two_jobs_and_the_client_knows(
    tmp_path: Path, keys: bool
) -> None:
    @settings(without_explanation, max_examples=EXAMPLES // 2)
    @given(schedule=st.lists(rules(), max_size=5))
    def holds(schedule: list[dict[str, Any]]) -> None:
        result = bench.play("jobs.create", schedule)
        _promise_is_kept(bench, result)

    with bench_in_process(tmp_path, keys=keys) as bench:
        holds()


def _promise_is_kept(bench: Bench, result: Result) -> None:
    """A success is one job, that one; a failure is none, and may be tried again; unknown is at most one."""
    made = [job["jid"] for job in bench.control.jobs()]
    if result.outcome == "success":
        answer, status = result.answer
        assert (status, made) == (201, [answer["jobid"]])
    elif result.outcome == "failure":
        assert made == [], result.error
    else:
        assert len(made) <= 1, result.error
    if isinstance(result.error, TryAgainError):
        again = bench.play_on("jobs.create")
        assert (again.outcome, again.effects) == ("success", 1), "it was safe to submit again"
