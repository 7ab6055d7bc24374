"""What people do to jobs and tasks: kill, hold, retry and the rest, with what each moves and what it refuses.

`kill` is what known clients send; the others are the dashboard's (wire reference 2.11, inferred).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conductor_mock.farm import lookup, tasks, uploads
from conductor_mock.farm.commands import JobsActed, TaskForced, TasksActed
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.refusals import MeaninglessError, StateForbidsError
from conductor_mock.farm.state import ENDED, READY, Job, State, Task


@dataclass(frozen=True, slots=True)
class Action:
    """Tasks in one of the statuses `of` become `to`. `phases` are the phases of a job that it also ends."""

    of: frozenset[str]
    to: str
    on_tasks: bool = True
    phases: frozenset[str] = frozenset()


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

    Raises MeaninglessError (no such action), NotThereError, StateForbidsError (it moves nothing of any of the jobs).
    """
    action = _action(name, on_tasks=False)
    jobs = [lookup.job(state, text) for text in dict.fromkeys(jids)]
    moved = tuple(job.number for job in jobs if _moves(action, job))
    if not moved:
        states = ", ".join(f"{jid(job.number)} is {tasks.job_status(job)}" for job in jobs[:5])
        raise StateForbidsError(f"{name} applies to {_wanted(action)}; {states}")
    return JobsActed(name, moved)


def act_on_tasks(state: State, name: str, text: str, tids: Sequence[str]) -> TasksActed:
    """An action on some tasks of a job; tasks that it does not move are left out. Raises as `act_on_jobs` does."""
    action = _action(name, on_tasks=True)
    job = lookup.job(state, text)
    found = [lookup.task(job, one) for one in dict.fromkeys(tids)]
    moved = tuple(index for index, task in found if task.status in action.of)
    if not moved:
        states = ", ".join(f"{tid(index)} is {task.status}" for index, task in found[:5])
        raise StateForbidsError(f"{name} applies to {_wanted(action)}; of job {jid(job.number)} {states}")
    return TasksActed(name, job.number, moved)


def force(state: State, text: str, one: str, status: str, exit_code: int | None) -> TaskForced:
    """End a task from outside. Raises MeaninglessError, NotThereError, StateForbidsError."""
    if status not in FORCED:
        raise MeaninglessError(f"must be one of {', '.join(FORCED)}, got {status[:40]!r}")
    job = lookup.job(state, text)
    index, task = lookup.task(job, one)
    if job.phase != READY:
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
        _apply(state, state.jobs[number], command.action, state.jobs[number].tasks)


def apply_tasks(state: State, command: TasksActed) -> None:
    job = state.jobs[command.job]
    _apply(state, job, command.action, [job.tasks[index] for index in command.tasks], whole=False)


def apply_forced(state: State, command: TaskForced) -> None:
    job = state.jobs[command.job]
    task = job.tasks[command.task]
    if task.status != "running":
        tasks.begin(job, task, state.now_us)
    tasks.end(job, task, state.now_us, command.status, command.exit_code)


def _apply(state: State, job: Job, name: str, chosen: Sequence[Task], *, whole: bool = True) -> None:
    action = ACTIONS[name]
    for task in chosen:
        if task.status not in action.of:
            continue
        if task.status == "running":
            tasks.end(job, task, state.now_us, action.to, None)
        elif name.startswith("retry"):
            tasks.restart(job, task)
        else:
            tasks.move(job, task, action.to)
    if whole and job.phase in action.phases:
        _end_phase(state, job, name)


def _end_phase(state: State, job: Job, name: str) -> None:
    if name == "kill":
        uploads.cancel(state, job)
        job.phase, job.note = (READY, "") if job.tasks else ("killed", "killed before its files were there")
    else:
        job.phase, job.note = READY, ""


def _moves(action: Action, job: Job) -> bool:
    return any(job.counts[status] for status in action.of) or job.phase in action.phases


def _action(name: str, *, on_tasks: bool) -> Action:
    action = ACTIONS.get(name)
    if action is None or (on_tasks and not action.on_tasks):
        known = [key for key, value in ACTIONS.items() if value.on_tasks or not on_tasks]
        raise MeaninglessError(f"must be one of {', '.join(known)}, got {name[:40]!r}")
    return action


def _wanted(action: Action) -> str:
    return f"what is {' or '.join(sorted(action.of | action.phases))}"
