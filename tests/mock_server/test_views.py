"""Views show what the state has: a field that is added is shown, or somebody has said that it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import fields
from typing import Any, get_type_hints

from conductor_mock.farm import billing, logs, views
from conductor_mock.farm.state import Job, State, Task, is_derived
from support.golden import FOLDER, replayed

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
