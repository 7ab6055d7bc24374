"""What a state is, to compare two: every field of everything in it, its indexes too. No field can be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from conductor_mock.farm import leases, simulation, tasks
from conductor_mock.farm.state import Job, Lease, State, is_derived
from conductor_mock.farm.statuses import Phase, TaskStatus


def image(state: State) -> dict[str, Any]:
    """The fields of a state by name, and so on down to plain values.

    Of an index that may hold what counts no more only the rest is shown: two states that go on alike are equal.
    """
    return _fields(state, state)


def differences(path: str, was: Any, now: Any) -> list[str]:
    """Where two images differ, as `place: was X, is Y`."""
    if isinstance(was, dict) and isinstance(now, dict):
        names = sorted(was.keys() | now.keys(), key=str)
        return [
            line for name in names for line in differences(f"{path}/{name}", was.get(name), now.get(name))
        ]
    if isinstance(was, (list, tuple)) and type(was) is type(now) and len(was) == len(now):
        pairs = enumerate(zip(was, now, strict=True))
        return [line for index, pair in pairs for line in differences(f"{path}/{index}", *pair)]
    return [] if was == now else [f"{path}: was {was!r}, is {now!r}"]


def _fields(state: State, value: Any) -> dict[str, Any]:
    return {
        field.name: (
            _index(value, field.name)(state, value)
            if is_derived(field)
            else _image(state, getattr(value, field.name))
        )
        for field in fields(value)
    }


def _index(value: Any, name: str) -> Callable[[State, Any], Any]:
    for cls in type(value).__mro__:
        if (cls, name) in _INDEXES:
            return _INDEXES[cls, name]
    raise AssertionError(
        f"support/states.py does not say how the index {type(value).__name__}.{name} is compared"
    )


def _image(state: State, value: Any) -> Any:
    if is_dataclass(value):
        return _fields(state, value)
    if isinstance(value, (list, tuple)):
        return type(value)(_image(state, part) for part in value)
    if isinstance(value, dict):
        return {key: _image(state, part) for key, part in value.items()}
    return value


def _is_to_come(state: State, event: simulation.Event) -> bool:
    _, kind, number, index, attempt = event
    job = state.jobs[number]
    if kind == simulation.SYNCED:
        return job.phase == Phase.SYNCING and job.syncs == index
    task = job.tasks[index]
    return tasks.is_active(task) and len(task.attempts) == attempt


def _waiting(job: Job) -> list[int]:
    return sorted(
        index
        for index in set(job.waiting)
        if job.tasks[index].status == TaskStatus.PENDING and not tasks.is_active(job.tasks[index])
    )


def _wants_an_instance(job: Job) -> bool:
    has_all = job.max_instances and job.active >= job.max_instances
    return job.phase == Phase.READY and bool(_waiting(job)) and not has_all


def _lease(state: State, number: int, index: int) -> Lease | None:
    job = state.jobs[number]
    held = job.upload if index == leases.UPLOAD else job.tasks[index].download
    return None if held is None else held.lease


def _watched(state: State, owner: State) -> list[tuple[int, int, bool]]:
    """What is looked at, and whether that is in time."""
    found = ((number, index, when, _lease(state, number, index)) for when, number, index in state.watched)
    return sorted(
        (number, index, when <= lease.until_us) for number, index, when, lease in found if lease is not None
    )


_INDEXES: Mapping[tuple[type, str], Callable[[State, Any], Any]] = {
    (Job, "counts"): lambda state, job: {status: count for status, count in job.counts.items() if count},
    (Job, "waiting"): lambda state, job: _waiting(job),
    (Job, "queued"): lambda state, job: job.queued if _wants_an_instance(job) else None,
    (Job, "to_deliver"): lambda state, job: [index for index, flag in enumerate(job.to_deliver) if flag],
    (Job, "undelivered"): lambda state, job: job.undelivered,
    (Job, "active"): lambda state, job: job.active,
    (Job, "spent"): lambda state, job: job.spent,
    (Job, "rate"): lambda state, job: job.rate,
    (Job, "rate_since"): lambda state, job: job.rate_since,
    (State, "events"): lambda state, owner: sorted(
        event for event in state.events if _is_to_come(state, event)
    ),
    (State, "queue"): lambda state, owner: sorted(
        (priority, number)
        for priority, number in set(state.queue)
        if priority == -state.jobs[number].priority and _wants_an_instance(state.jobs[number])
    ),
    (State, "active"): lambda state, owner: state.active,
    (State, "happened"): lambda state, owner: None,  # since this state was made or read
    (State, "leased"): lambda state, owner: {key for key in state.leased if _lease(state, *key) is not None},
    (State, "watched"): _watched,
    (State, "to_bring"): lambda state, owner: {place: jobs for place, jobs in state.to_bring.items() if jobs},
    (State, "to_deliver"): lambda state, owner: {
        place: jobs for place, jobs in state.to_deliver.items() if jobs
    },
    (State, "executing"): lambda state, owner: dict(state.executing),
}
"""How each index is shown. One that is missing here fails every comparison."""
