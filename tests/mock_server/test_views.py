"""Views show what the state has: a field that is added is shown, or somebody has said that it is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import fields
from typing import Any, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import billing, logs, views
from conductor_mock.farm.ids import record_id
from conductor_mock.farm.state import Job, State, Task, is_derived
from support.golden import FOLDER, replayed
from support.server import Fake

OTHER: Mapping[Any, Callable[[Any], Any]] = {
    str: lambda value: f"{value}?",
    int: lambda value: value + 10_000_000,  # times are shown in seconds
    bool: lambda value: not value,
    dict[str, Any]: lambda value: {**value, "other": "1"},
    Mapping[str, str]: lambda value: {**value, "OTHER": "1"},
    tuple[str, ...]: lambda value: (*value, "other"),
}
"""How a plain value is made another one. What is not plain is shown through what it is made of."""

NOT_SHOWN = {
    (Job, "seq"),
    (Job, "max_instances"),
    (Job, "scouts_left"),
    (Job, "notify"),
    (Job, "syncs"),
    (Task, "scout"),
    (Task, "tries_from"),
}
"""Plain fields that decide what happens and are not shown themselves."""


def test_every_plain_field_of_a_job_and_task_is_shown_or_known_not_to_be() -> None:
    state = replayed(FOLDER / "rich.jsonl")
    hidden = {
        (cls, field.name)
        for cls in (Job, Task)
        for field in fields(cls)
        if (other := OTHER.get(get_type_hints(cls)[field.name])) is not None and not is_derived(field)
        if not _is_seen(state, cls, field.name, other)
    }

    assert hidden == NOT_SHOWN, "show it in farm/views.py, and state it in openapi.yaml; or add it here"


def _is_seen(state: State, cls: type, name: str, other: Callable[[Any], Any]) -> bool:
    """Whether anything looks different when a field of a job, or of one of its tasks, is another."""
    for number, job in state.jobs.items():
        changed = deepcopy(job)
        holder: Any = changed if cls is Job else changed.tasks[0] if changed.tasks else None
        if holder is None:
            continue
        setattr(holder, name, other(getattr(holder, name)))
        if _shown(state, job) != _shown(state, changed):
            return True
        assert state.jobs[number] is job
    return False


def _shown(state: State, job: Job) -> list[Any]:
    """Everything that is shown of a job."""
    indexes = range(len(job.tasks))
    return [
        views.client_job(state, job),
        views.control_job(job, state.account_id, {}),
        [views.download_record(job, index, ["u"] * len(job.tasks[index].outputs or ())) for index in indexes],
        [logs.lines(state, job, index, {}) for index in indexes],
        [billing.task_cost(job, task, state.now_us) for task in job.tasks],
    ]


def test_a_task_has_every_field_of_the_recorded_one_in_its_type() -> None:
    """Wire reference 12.2: the task that was recorded in July 2019, its values made up."""
    recorded = {
        "status": "downloaded",
        "timeStarted": 1562000000000000,
        "timeFinished": 1562000000000000,
        "environment": {"PATH": "/bin"},
        "jobId": 5666000000000000,
        "priority": "006",
        "jobLabel": "00764",
        "taskLabel": "000",
        "uploadId": 5666000000000000,
        "id": 5666000000000000,
        "command": "render",
        "statusDescription": "",
        "selfLink": "/api/tasks/5666000000000000",
    }
    state = replayed(FOLDER / "rich.jsonl")
    ended = [
        views.task_record(state, job, index)
        for job in state.jobs.values()
        for index, task in enumerate(job.tasks)
        if task.attempts and task.attempts[-1].ended_us is not None
    ]

    assert ended
    for record in ended:
        assert {name: type(json.loads(json.dumps(record[name]))) for name in recorded} == {
            name: type(value) for name, value in recorded.items()
        }
        assert record["timeStarted"] <= record["timeFinished"]
        assert record["selfLink"] == f"/api/tasks/{record['id']}"


def test_a_task_that_has_not_started_has_no_times() -> None:
    state = replayed(FOLDER / "rich.jsonl")
    waiting = [
        views.task_record(state, job, index)
        for job in state.jobs.values()
        for index, task in enumerate(job.tasks)
        if not task.attempts
    ]

    assert {(record["timeStarted"], record["timeFinished"]) for record in waiting} == {(None, None)}


def test_tasks_of_a_job_share_one_environment() -> None:
    state = replayed(FOLDER / "rich.jsonl")
    job = next(job for job in state.jobs.values() if len(job.tasks) > 1)
    first, *others = [views.task_record(state, job, index) for index in range(len(job.tasks))]

    assert all(record["environment"] is first["environment"] for record in others)


def test_a_task_whose_instance_boots_has_not_started(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit()
    advance = {"advance": 20}  # files are copied at once where there are none; an instance boots for a minute
    caller.post("/_mock/clock", advance, query={"account": caller.client_id})
    (booting,) = caller.get("/api/v1/tasks").json()["data"]
    caller.post("/_mock/clock", {"advance": 60}, query={"account": caller.client_id})
    (running,) = caller.get("/api/v1/tasks").json()["data"]

    assert (booting["status"], booting["timeStarted"]) == ("pending", None)
    assert running["timeStarted"] is not None


def test_records_of_jobs_that_are_far_apart_have_numbers_of_their_own() -> None:
    numbers = {record_id(1 + (1 << shift), slot) for shift in range(26) for slot in (0, 1, 2, 1 << 25)}

    assert len(numbers) == 26 * 4


@given(st.sets(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)), min_size=2))
def test_no_two_records_have_one_number(slots: set[tuple[int, int]]) -> None:
    numbers = {record_id(number, slot) for number, slot in slots}

    assert len(numbers) == len(slots)
    assert all(10**15 <= number < 2**53 for number in numbers)
