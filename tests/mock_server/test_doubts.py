"""What is taken and probably means something else than it does is said where the submitter looks."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.problems import pointer
from conductor_contracts.submission import odd_variables
from conductor_mock.farm import outcomes
from conductor_mock.farm.doubts import RESERVED, doubts
from conductor_mock.farm.payload import read
from conductor_mock.farm.statuses import DRAWN
from support.server import ApiCaller, Fake, running
from support.simulated import Farm, job_of

WORDS = [outcome.value for outcome in DRAWN]
KEY = "mock_outcome"
SUCESS = "\"sucess\" decides nothing: 'sucess' is none of success, failed, preempted; did you mean 'success'?"
A_TASK = [{"command": "r", "frames": "1"}]


def said(**payload: Any) -> dict[str, str]:
    """What is in doubt about a job, by its place."""
    return dict(doubts(read({"tasks_data": A_TASK, **payload})))


@st.composite
def typos(draw: st.DrawFn) -> tuple[str, str]:
    """A reserved key, and it with one slip of the fingers."""
    key = draw(st.sampled_from(RESERVED))
    at, letter = draw(st.integers(0, len(key) - 2)), draw(st.sampled_from(string.ascii_lowercase + "_-"))
    slips = [
        key[:at] + key[at + 1 :],
        key[:at] + letter + key[at:],
        key[:at] + letter + key[at + 1 :],
        key[:at] + key[at + 1] + key[at] + key[at + 2 :],
        key.upper(),
        key.replace("_", draw(st.sampled_from(["", "-", " ", "."]))),
    ]
    return key, draw(st.sampled_from([slip for slip in slips if slip != key]))


@given(typos())
def test_a_reserved_key_with_a_slip_in_it_is_told_what_it_should_be(typo: tuple[str, str]) -> None:
    key, wrong = typo
    assert said(metadata={wrong: "1"}) == {
        f"/metadata/{wrong}": f"is a label that decides nothing; did you mean {key!r}?"
    }


@pytest.mark.parametrize(
    "key",
    [
        "shot",
        "outcome",
        "duration",
        "frames",
        "my_outcome",
        "job_frames",
        "mock",
        "mockup",
        "mocking_bird",
        "",
        "x" * 999,
    ],
)
def test_labels_of_people_are_no_misspelt_keys(key: str) -> None:
    assert said(metadata={key: "sucess", "shot": ""}) == {}


def test_a_key_that_begins_as_the_reserved_ones_do_is_told_of_them() -> None:
    (what,) = said(metadata={"mock_xyz": "1"}).values()
    assert what == "is a label that decides nothing; reserved are mock_outcome, mock_duration, mock_frames"


words = st.sampled_from([*WORDS, "sucess", "Success", "fail", "preempt", "killed", "", "success;failed"])


@given(st.lists(words, min_size=1, max_size=3), st.sampled_from([",", ", ", " ,"]))
def test_outcomes_are_in_doubt_when_one_is_none(parts: list[str], comma: str) -> None:
    found = said(metadata={KEY: comma.join(parts)})
    assert bool(found) == any(part not in WORDS for part in parts)
    assert set(found) <= {f"/metadata/{KEY}"}


@given(st.text(max_size=20) | st.integers() | st.booleans() | st.lists(st.just("success"), max_size=2))
def test_a_value_is_in_doubt_when_and_only_when_nothing_is_read_of_it(value: Any) -> None:
    assert bool(said(metadata={KEY: value})) == (outcomes.read_outcomes(value) is None)
    duration = {"mock_duration": value}
    assert bool(said(metadata=duration)) == (outcomes.read_duration(value) is None)


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({KEY: "sucess"}, SUCESS),
        ({KEY: "ok"}, "\"ok\" decides nothing: 'ok' is none of success, failed, preempted"),
        ({KEY: 3}, "3 decides nothing: it takes a text such as 'preempted,success'"),
        ({"mock_duration": "2 min"}, '"2 min" decides nothing; it takes seconds from 0 to 2592000'),
        ({"mock_duration": "-1"}, '"-1" decides nothing; it takes seconds from 0 to 2592000'),
        ({"mock_duration": "nan"}, '"nan" decides nothing; it takes seconds from 0 to 2592000'),
        (
            {"mock_frames": "1..9", KEY: "failed"},
            '"1..9" is no frame specification, so the other reserved keys are meant for no task',
        ),
        ({"mock_frames": "57", KEY: "failed"}, '"57" fits no task; the frames of the tasks are 1'),
        ({"mock_frames": "1"}, "decides nothing without mock_outcome or mock_duration"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_with_a_value_is_said_at_its_key(metadata: dict[str, Any], what: str) -> None:
    (key, *_) = metadata
    assert said(metadata=metadata) == {f"/metadata/{key}": what}


def test_what_is_right_or_null_is_in_no_doubt() -> None:
    right = {KEY: "preempted, success", "mock_duration": "0", "mock_frames": "1-5"}
    assert said(metadata=right, scout_frames="1-9x4") == {}
    assert said(metadata=dict.fromkeys(RESERVED), scout_frames=None) == {}


frame_texts = st.sampled_from(["", "1", "2-4", "1-9x2", "x", "100", "-3--1"])


@given(st.lists(frame_texts, min_size=1, max_size=4), frame_texts)
def test_scout_frames_are_in_doubt_when_and_only_when_there_is_no_scout(
    tasks: list[str], scouts: str
) -> None:
    payload = {"tasks_data": [{"command": "r", "frames": frames} for frames in tasks], "scout_frames": scouts}
    farm = Farm()
    farm.do(job_of(0, **payload))
    has_scouts = any(task.scout for task in farm.state.jobs[1].tasks)
    assert ("/scout_frames" in said(**payload)) == (scouts != "" and not has_scouts)


def test_scouts_that_fit_no_task_are_said_with_the_frames_that_there_are() -> None:
    tasks = [{"command": "r", "frames": frames} for frames in ("1-5", "6-10", "11-15", "16-20", "")]
    assert said(tasks_data=tasks, scout_frames="57")["/scout_frames"] == (
        "'57' fits no task, so none is held; the frames of the tasks are 1-5, 6-10, 11-15 and 1 more"
    )
    assert said(tasks_data=tasks[4:], scout_frames="57")["/scout_frames"].endswith(
        "the tasks do not say their frames"
    )


def test_as_many_tasks_as_are_named_have_no_more_and_a_job_without_tasks_is_in_no_doubt() -> None:
    tasks = [{"command": "r", "frames": frames} for frames in ("1-5", "6-10", "11-15")]
    assert said(tasks_data=tasks, scout_frames="57")["/scout_frames"].endswith("are 1-5, 6-10, 11-15")
    assert said(tasks_data=[], scout_frames="57") == {}
    assert said(tasks_data=None, scout_frames="57") == {}


@given(
    st.dictionaries(st.text(max_size=3), st.booleans() | st.integers() | st.none() | st.text() | st.floats())
)
def test_values_of_variables_are_text_or_whole_numbers(environment: dict[str, Any]) -> None:
    odd = {problem.path for problem in odd_variables({"environment": environment})}
    assert odd == {
        pointer("/environment", name) for name, value in environment.items() if type(value) not in (str, int)
    }


SLIPS: dict[str, Any] = {"scout_frames": "57", "metadata": {"mock_outcom": "failed", "shot": "12"}}


def test_doubts_are_warnings_of_the_job_and_in_the_answer(shared_fake: Fake) -> None:
    caller: ApiCaller = shared_fake.newcomer()
    answer = caller.submit(**SLIPS, tasks_data=A_TASK)
    job = caller.get("/_mock/jobs/1", query={"account": caller.client_id}).json()
    told = [warning.partition(" ")[0] for warning in json.loads(answer.headers["X-Conductor-Mock-Warnings"])]

    assert [warning.partition(" ")[0] for warning in job["warnings"]] == told
    assert told == ["/scout_frames", "/metadata/mock_outcom"]
    assert [task["status"] for task in job["tasks"]] == ["pending"]


@pytest.mark.parametrize("slip", SLIPS)
def test_doubts_are_refused_under_strict(slip: str) -> None:
    with running(strict=True) as fake:
        answer = fake.caller().submit(**{slip: SLIPS[slip]}, tasks_data=A_TASK)
        assert answer.status == 400
        assert fake.caller().jobs() == []
