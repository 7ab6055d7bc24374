"""Requests that cannot be meant: each has an answer that says what is wrong, and nothing else is harmed."""

from __future__ import annotations

from typing import Any

import pytest

from support.server import ApiCaller, Fake, running


@pytest.fixture
def caller(shared_fake: Fake) -> ApiCaller:
    """An account with one job of two frames."""
    caller = shared_fake.newcomer()
    caller.submit(tasks_data=[{"command": "r", "frames": str(frame)} for frame in (1, 2)])
    return caller


def untouched(caller: ApiCaller) -> bool:
    return [(job["jid"], job["tasks"]) for job in caller.jobs()] == [("00001", 2)]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ("", "say which frames"),
        ("x", "say which frames"),
        ("1-x", "say which frames"),
        ("1-9x0", "say which frames"),
        ("1-9x-1", "say which frames"),
        ("1..9", "say which frames"),
        ("1-99999999", "more than 1000000 frames"),
        ("-999999999-999999999", "more than 1000000 frames"),
    ],
)
def test_an_impossible_frame_range_is_refused(caller: ApiCaller, frames: str, words: str) -> None:
    answer = caller.submit(tasks_data=..., command="render <frame args>", frame_range=frames)

    assert answer.status == 400
    assert words in answer.faults["/frame_range"]
    assert untouched(caller)


@pytest.mark.parametrize("retries", [-1, 6, 1.5, "2", True, None])
@pytest.mark.parametrize("outcome", ["failed", "preempted"])
def test_a_policy_of_impossible_retries_is_refused(caller: ApiCaller, outcome: str, retries: Any) -> None:
    answer = caller.submit(autoretry_policy={outcome: {"max_retries": retries}})

    assert answer.status == 400
    assert "whole number from 0 to 5" in answer.faults[f"/autoretry_policy/{outcome}/max_retries"]
    assert untouched(caller)


@pytest.mark.parametrize("frames", ["first", "1-x", "1-9x0", "1-99999999"])
def test_scout_frames_that_are_none_are_a_warning_since_nothing_is_held(
    caller: ApiCaller, frames: str
) -> None:
    caller.submit(scout_frames=frames)
    (warning,) = caller.get("/_mock/jobs/00002", query={"account": caller.client_id}).json()["warnings"]

    assert warning == f"/scout_frames {frames!r} is no frame specification, so no task is held"


def test_scout_frames_that_are_none_are_refused_under_strict() -> None:
    with running(strict=True) as fake:
        answer = fake.caller().submit(scout_frames="first")

        assert answer.status == 400
        assert "/scout_frames" in answer.faults
        assert fake.caller().submit(scout_frames=" 1-3 , 8 ").status == 201


def test_a_rule_that_fits_nothing_says_so_and_stays_for_what_comes(caller: ApiCaller) -> None:
    rules = [
        {"match": {"frames": "57"}, "outcome": "failed"},
        {"match": {"frames": "2"}, "outcome": "failed"},
        {"match": {"title": "nobody's"}, "duration": 1},
    ]
    ask = {"account": caller.client_id}
    answer = caller.post("/_mock/outcomes", rules, query=ask).json()
    again = caller.post("/_mock/outcomes", {"match": {}, "outcome": "success"}, query=ask).json()

    assert answer["tasks_that_fit"] == 1
    assert answer["warnings"] == [
        f"rule {number} fits none of the 2 tasks that there are; it stays for those to come"
        for number in (0, 2)
    ]
    assert (again["tasks_that_fit"], again["warnings"]) == (2, [])
    assert len(again["rules"]) == 4


def test_a_rule_that_comes_too_late_or_behind_another_says_so(caller: ApiCaller) -> None:
    ask = {"account": caller.client_id}
    caller.post("/_mock/clock", {"advance": 30}, query=ask)  # instances are taken, and boot
    caller.submit(tasks_data=[{"command": "r", "frames": "2"}])
    late = caller.post("/_mock/outcomes", {"match": {"frames": "2"}, "outcome": "failed"}, query=ask).json()
    behind = [{"match": {"frames": "2-3"}, "outcome": "failed"}, {"match": {"tid": "1"}, "duration": 1}]
    caller.post("/_mock/clock", {"until": "idle"}, query=ask)
    answer = caller.post("/_mock/outcomes", behind, query=ask).json()
    tasks = caller.get("/_mock/jobs/2", query=ask).json()["tasks"]

    (warning,) = late["warnings"]
    assert warning == (
        "rule 0 cannot change what is drawn already, in 1 of the 2 tasks that it fits: attempt 1 of task 001 of job "
        "00001; it decides about later attempts"
    )
    assert [task["status"] for task in tasks] == ["failed"]
    assert [warning.partition(":")[0] for warning in answer["warnings"]] == [
        "rule 0 cannot change what is drawn already, in 2 of the 2 tasks that it fits",
        "rule 1 decides nothing",
    ]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"match": {"frames": "1-x"}, "outcome": "failed"}, "/match/frames"),
        ({"match": {"frame": "1"}, "outcome": "failed"}, "/match/frame"),
        ({"match": {"frames": "1"}, "outcome": "exploded"}, "/outcome"),
        ({"match": {"frames": "1"}, "outcome": []}, "/outcome"),
        ({"match": {"frames": "1"}, "duration": -1}, "/duration"),
        ({"match": {"frames": "1"}, "outcome": "failed", "exit_code": 256}, "/exit_code"),
        ({"match": {"frames": "1"}}, ""),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_and_no_other_taken(
    caller: ApiCaller, rule: dict[str, Any], path: str
) -> None:
    ask = {"account": caller.client_id}
    fine = {"match": {}, "outcome": "failed"}
    answer = caller.post("/_mock/outcomes", [fine, rule], query=ask)

    assert answer.status == 400
    assert f"/1{path}" in answer.faults
    assert caller.get("/_mock/outcomes", query=ask).json()["rules"] == []


def test_the_call_for_reports_is_no_job(caller: ApiCaller) -> None:
    answer = caller.get("/downloads/status")

    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
