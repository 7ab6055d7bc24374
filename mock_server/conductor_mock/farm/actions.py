"""What people do to jobs and tasks: kill, hold, retry and the rest, with what each moves and what it refuses.

`kill` is what known clients send; the others are the dashboard's (wire reference 2.11, inferred).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conductor_mock.farm import lookup, queues, simulation, tasks, uploads
from conductor_mock.farm.commands import JobChanged, JobsActed, TaskForced, TasksActed
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.refusals import InvalidRequestError, StateForbidsError
from conductor_mock.farm.state import ENDED, READY, Attempt, Job, State
from conductor_mock.farm.values import Machine


@dataclass(frozen=True, slots=True)
class Action:
    """Tasks in one of the statuses `of` become `to`. `phases` are the phases of a job that it also ends."""

    of: frozenset[str]
    to: str
    on_tasks: bool = True
    phases: frozenset[str] = frozenset()


_NEVER_BEGAN = frozenset({"failed", "killed"})
"""Phases of a job that ended before its files were there: its tasks will never begin."""

_WAITS_FOR_FILES = frozenset({"upload_pending", "uploading", "sync_pending", "syncing", "sync_failed"})

ACTIONS: Mapping[str, Action] = {
    "kill": Action(frozenset({"pending", "holding", "running"}), "killed", phases=_WAITS_FOR_FILES),
    "hold": Action(frozenset({"pending"}), "holding"),
    "unhold": Action(frozenset({"holding"}), "pending"),
    "retry": Action(ENDED, "pending"),
    "retry_failed": Action(frozenset({"failed"}), "pending", on_tasks=False),
    "retry_preempted": Action(frozenset({"preempted"}), "pending", on_tasks=False),
    "retry_sync": Action(frozenset(), "", on_tasks=False, phases=frozenset({"sync_failed"})),
    "reviewed": Action(frozenset({"success", "downloaded"}), "reviewed"),
    "release_scouts": Action(frozenset({"holding"}), "pending", on_tasks=False),
}

FORCED = ("success", "failed", "preempted", "killed")
"""Statuses that the control API may end a task with."""


def act_on_jobs(state: State, name: str, jids: Sequence[str]) -> JobsActed:
    """An action on whole jobs; jobs that it moves nothing of are left out.

    Raises InvalidRequestError (no such action), NotThereError, StateForbidsError (it moves nothing of any of the jobs).
    """
    action = _action(name, on_tasks=False)
    jobs = [lookup.job(state, text) for text in dict.fromkeys(jids)]
    moved = tuple(job.number for job in jobs if _moves(action, job))
    if not moved:
        states = ", ".join(map(_described, jobs[:5]))
        raise StateForbidsError(f"{name} wants one that is {_wanted(action)}; {states}")
    return JobsActed(name, moved)


def act_on_tasks(state: State, name: str, text: str, tids: Sequence[str]) -> TasksActed:
    """An action on some tasks of a job; tasks that it does not move are left out. Raises as `act_on_jobs` does."""
    action = _action(name, on_tasks=True)
    job = lookup.job(state, text)
    found = [lookup.task(job, one) for one in dict.fromkeys(tids)]
    if job.phase in _NEVER_BEGAN:
        raise StateForbidsError(f"{name}: the tasks of job {_described(job)} will never begin")
    moved = tuple(index for index, task in found if task.status in action.of)
    if not moved:
        states = ", ".join(f"{tid(index)} is {task.status}" for index, task in found[:5])
        raise StateForbidsError(
            f"{name} wants one that is {_wanted(action)}; of job {jid(job.number)} {states}"
        )
    return TasksActed(name, job.number, moved)


def force(state: State, text: str, one: str, status: str, exit_code: int | None) -> TaskForced:
    """End a task from outside. Raises InvalidRequestError, NotThereError, StateForbidsError."""
    if status not in FORCED:
        raise InvalidRequestError(f"must be one of {', '.join(FORCED)}, got {status[:40]!r}")
    job = lookup.job(state, text)
    index, task = lookup.task(job, one)
    if job.phase not in (READY, "syncing"):
        raise StateForbidsError(
            f"job {jid(job.number)} is {job.phase} ({job.note}): its tasks have not begun"
        )
    if task.status in ENDED:
        raise StateForbidsError(
            f"task {tid(index)} of job {jid(job.number)} has ended: it is {task.status}; retry it first"
        )
    return TaskForced(job.number, index, status, exit_code)


def apply_jobs(state: State, command: JobsActed) -> None:
    for number in command.jobs:
        job = state.jobs[number]
        _apply(state, job, command.action, range(len(job.tasks)))


def apply_tasks(state: State, command: TasksActed) -> None:
    job = state.jobs[command.job]
    _apply(state, job, command.action, command.tasks, whole=False)


def change(state: State, text: str, *, priority: int | None, machine: Machine | None) -> JobChanged:
    """Give a job another priority or machine; attempts under way go on as they are.

    Raises NotThereError, StateForbidsError.
    """
    job = lookup.job(state, text)
    if tasks.job_has_ended(job):
        raise StateForbidsError(f"job {jid(job.number)} has ended: {_described(job)}")
    return JobChanged(job.number, priority, machine)


def apply_changed(state: State, command: JobChanged) -> None:
    job = state.jobs[command.job]
    if command.priority is not None:
        job.priority = command.priority
        simulation.enqueue(state, job)
    if command.machine is not None:
        job.former_machines.append(job.machine)
        job.machine = command.machine


def apply_forced(state: State, command: TaskForced) -> None:
    """End the attempt that is under way, or one that begins and ends now; the auto-retry policy follows."""
    job = state.jobs[command.job]
    task = job.tasks[command.task]
    if job.phase == "syncing":
        simulation.make_ready(state, job)
    if not tasks.is_active(task):
        simulation.take_instance(
            state, job, command.task, Attempt(state.now_us, state.now_us, state.now_us, command.status)
        )
    simulation.finish(state, job, command.task, command.status, command.exit_code)


def _apply(state: State, job: Job, name: str, chosen: Iterable[int], *, whole: bool = True) -> None:
    action = ACTIONS[name]
    for index in chosen:
        task = job.tasks[index]
        if task.status not in action.of:
            continue
        if name.startswith("retry"):
            tasks.restart(job, task, state.now_us)
        else:
            if tasks.is_active(task):
                simulation.interrupt(state, job, index, action.to)
            tasks.mark(job, task, action.to, state.now_us)
        queues.note_outputs(state, job, index)
        if action.to == "pending":
            simulation.want(state, job, index)
    if whole and job.phase in action.phases:
        _end_phase(state, job, name)
    elif job.phase == "syncing" and all(task.status in ENDED for task in job.tasks):
        simulation.make_ready(state, job)  # nothing is left that the files would be for
    simulation.note_end(state, job)


def _end_phase(state: State, job: Job, name: str) -> None:
    if name == "kill":
        uploads.cancel(state, job)
        if job.tasks:
            simulation.make_ready(state, job)
        else:
            tasks.set_phase(job, "killed", "killed before its files were there", state.now_us)
    else:
        simulation.begin_sync(state, job)


def _described(job: Job) -> str:
    """A job and its status, and why it is in it where its tasks do not tell."""
    why = f" ({job.note})" if job.phase != READY and job.note else ""
    return f"{jid(job.number)} is {tasks.job_status(job)}{why}"


def _moves(action: Action, job: Job) -> bool:
    if job.phase in _NEVER_BEGAN:
        return False
    return any(job.counts[status] for status in action.of) or job.phase in action.phases


def _action(name: str, *, on_tasks: bool) -> Action:
    action = ACTIONS.get(name)
    if action is None or (on_tasks and not action.on_tasks):
        known = [key for key, value in ACTIONS.items() if value.on_tasks or not on_tasks]
        raise InvalidRequestError(f"must be one of {', '.join(known)}, got {name[:40]!r}")
    return action


def _wanted(action: Action) -> str:
    *others, last = sorted(action.of | action.phases)
    return f"{', '.join(others)} or {last}" if others else last
