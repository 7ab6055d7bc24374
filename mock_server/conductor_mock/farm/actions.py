"""What people do to jobs and tasks: kill, hold, retry and the rest, with what each moves and what it refuses.

`kill` is what known clients send; the others are the dashboard's (wire reference 2.11, inferred).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from conductor_mock.farm import lookup, queues, recorded, simulation, tasks, uploads
from conductor_mock.farm.commands import JobChanged, JobsActed, TaskForced, TasksActed
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.refusals import InvalidRequestError, StateForbidsError
from conductor_mock.farm.state import Attempt, Job, State, Task
from conductor_mock.farm.statuses import (
    ENDED,
    NEVER_BEGAN,
    STATUS_AFTER,
    WAITS_FOR_FILES,
    Action,
    JobStatus,
    Outcome,
    Phase,
    TaskStatus,
)
from conductor_mock.farm.values import Machine


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does."""

    of: frozenset[TaskStatus] = frozenset()
    """The statuses of the tasks that it moves,"""
    to: TaskStatus = TaskStatus.PENDING
    """and the one that they are moved to."""
    phases: frozenset[Phase] = frozenset()
    """The phases that it ends, of a job as a whole."""
    is_restart: bool = False
    """Whether tasks begin from the beginning, with all the retries of the job's policy."""
    on_tasks: bool = True
    """Whether single tasks take it, too."""


ACTIONS: Mapping[Action, Effect] = {
    Action.KILL: Effect(
        frozenset({TaskStatus.PENDING, TaskStatus.HOLDING, TaskStatus.RUNNING}),
        TaskStatus.KILLED,
        WAITS_FOR_FILES,
    ),
    Action.HOLD: Effect(frozenset({TaskStatus.PENDING}), TaskStatus.HOLDING),
    Action.UNHOLD: Effect(frozenset({TaskStatus.HOLDING})),
    Action.RETRY: Effect(ENDED, is_restart=True),
    Action.RETRY_FAILED: Effect(frozenset({TaskStatus.FAILED}), is_restart=True, on_tasks=False),
    Action.RETRY_PREEMPTED: Effect(frozenset({TaskStatus.PREEMPTED}), is_restart=True, on_tasks=False),
    Action.RETRY_SYNC: Effect(phases=frozenset({Phase.SYNC_FAILED}), on_tasks=False),
    Action.REVIEWED: Effect(frozenset({TaskStatus.SUCCESS, TaskStatus.DOWNLOADED}), TaskStatus.REVIEWED),
    Action.RELEASE_SCOUTS: Effect(frozenset({TaskStatus.HOLDING}), on_tasks=False),
}


_OUTCOME: Mapping[TaskStatus, Outcome] = {status: outcome for outcome, status in STATUS_AFTER.items()}
"""What becomes of the attempt under way of a task that an action puts into a status."""


def act_on_jobs(state: State, action: Action, job_ids: Sequence[str]) -> JobsActed:
    """An action on whole jobs; jobs that it moves nothing of are left out.

    Raises NotThereError, StateForbidsError (it moves nothing of any of the jobs).
    """
    effect = ACTIONS[action]
    jobs = [lookup.job(state, job_id) for job_id in dict.fromkeys(job_ids)]
    moved = tuple(job.number for job in jobs if _moves(effect, job))
    if not moved:
        states = ", ".join(map(_described, jobs[:5]))
        raise StateForbidsError(
            f"{action} needs a job that is {_any_of(effect.of | effect.phases)}; {states}"
        )
    return JobsActed(action, moved)


def possible(job: Job) -> list[Action]:
    """The actions on a whole job that move something of it now."""
    return [action for action, effect in ACTIONS.items() if _moves(effect, job)]


def possible_on_task(job: Job, task: Task) -> list[Action]:
    """The actions that a task takes now."""
    if job.phase in NEVER_BEGAN:
        return []
    return [action for action, effect in ACTIONS.items() if effect.on_tasks and task.status in effect.of]


def may_be_forced(job: Job, task: Task) -> bool:
    """Whether `force` would end a task now."""
    return job.phase in (Phase.READY, Phase.SYNCING) and task.status not in ENDED


def act_on_tasks(state: State, action: Action, job_id: str, task_ids: Sequence[str]) -> TasksActed:
    """An action on some tasks of a job; tasks that it does not move are left out.

    Raises InvalidRequestError (it is for whole jobs), NotThereError, StateForbidsError.
    """
    effect = ACTIONS[action]
    if not effect.on_tasks:
        raise InvalidRequestError(f"{action} is done to whole jobs, not to single tasks", "/action")
    job = lookup.job(state, job_id)
    chosen = [lookup.task(job, task_id) for task_id in dict.fromkeys(task_ids)]
    if job.phase in NEVER_BEGAN:
        raise StateForbidsError(f"{action}: job {_described(job)}, so its tasks will never begin")
    moved = tuple(index for index, task in chosen if task.status in effect.of)
    if not moved:
        states = ", ".join(f"{tid(index)} is {task.status}" for index, task in chosen[:5])
        raise StateForbidsError(
            f"{action} needs a task that is {_any_of(effect.of)}; in job {jid(job.number)}, {states}"
        )
    return TasksActed(action, job.number, moved)


def force(state: State, job_id: str, task_id: str, outcome: Outcome, exit_code: int | None) -> TaskForced:
    """End a task from outside. `outcome` is one of `FORCED`. Raises NotThereError, StateForbidsError."""
    job = lookup.job(state, job_id)
    index, task = lookup.task(job, task_id)
    if job.phase not in (Phase.READY, Phase.SYNCING):
        raise StateForbidsError(
            f"job {jid(job.number)} is {job.phase} ({job.note}): its tasks have not begun"
        )
    if task.status in ENDED:
        raise StateForbidsError(
            f"task {tid(index)} of job {jid(job.number)} has ended: it is {task.status}; retry it first"
        )
    return TaskForced(job.number, index, outcome, exit_code)


def apply_jobs(state: State, command: JobsActed) -> None:
    for number in command.jobs:
        job = recorded.job(state, number)
        _apply(state, job, command.action, range(len(job.tasks)))


def apply_tasks(state: State, command: TasksActed) -> None:
    job = recorded.job(state, command.job)
    for index in command.tasks:
        recorded.task_job(state, command.job, index)
    _apply(state, job, command.action, command.tasks, whole=False)


def change(state: State, job_id: str, *, priority: int | None, machine: Machine | None) -> JobChanged:
    """Give a job another priority or machine; attempts under way go on as they are.

    Raises NotThereError, StateForbidsError.
    """
    job = lookup.job(state, job_id)
    if tasks.job_has_ended(job):
        raise StateForbidsError(
            f"job {_described(job)}: it has ended, so another priority or machine would change nothing"
        )
    return JobChanged(job.number, priority, machine)


def apply_changed(state: State, command: JobChanged) -> None:
    job = recorded.job(state, command.job)
    if command.priority is not None:
        job.priority = command.priority
        simulation.enqueue(state, job)
    if command.machine is not None:
        job.former_machines.append(job.machine)
        job.machine = command.machine


def apply_forced(state: State, command: TaskForced) -> None:
    """End the attempt that is under way, or one that begins and ends now; the auto-retry policy follows."""
    job = recorded.task_job(state, command.job, command.task)
    task = job.tasks[command.task]
    if job.phase == Phase.SYNCING:
        simulation.make_ready(state, job)
    if not tasks.is_active(task):
        simulation.take_instance(
            state, job, command.task, Attempt(state.now_us, state.now_us, state.now_us, command.status)
        )
    simulation.finish(state, job, command.task, command.status, command.exit_code)


def _apply(state: State, job: Job, action: Action, chosen: Iterable[int], *, whole: bool = True) -> None:
    effect = ACTIONS[action]
    for index in chosen:
        task = job.tasks[index]
        if task.status not in effect.of:
            continue
        if effect.is_restart:
            tasks.restart(job, task, state.now_us)
        else:
            if tasks.is_active(task):
                simulation.interrupt(state, job, index, _OUTCOME[effect.to])
            tasks.mark(job, task, effect.to, state.now_us)
        queues.note_outputs(state, job, index)
        if effect.to == TaskStatus.PENDING:
            simulation.want(state, job, index)
    if whole and job.phase in effect.phases:
        _end_phase(state, job, action)
    elif job.phase == Phase.SYNCING and all(task.status in ENDED for task in job.tasks):
        simulation.make_ready(state, job)  # nothing is left that the files would be for
    simulation.note_end(state, job)


def _end_phase(state: State, job: Job, action: Action) -> None:
    if action == Action.KILL:
        uploads.cancel(state, job)
        if job.tasks:
            simulation.make_ready(state, job)
        else:
            tasks.set_phase(job, Phase.KILLED, "killed before its files were there", state.now_us)
    else:
        simulation.begin_sync(state, job)


def _described(job: Job) -> str:
    """A job and its status, and why it is in it where its tasks do not tell."""
    why = f" ({job.note})" if job.phase != Phase.READY and job.note else ""
    return f"{jid(job.number)} is {tasks.job_status(job)}{why}"


def _moves(effect: Effect, job: Job) -> bool:
    if job.phase in NEVER_BEGAN:
        return False
    return any(job.counts[status] for status in effect.of) or job.phase in effect.phases


def _any_of(statuses: Collection[TaskStatus | Phase]) -> str:
    """Statuses as words, in the order of a job's life."""
    words = {status.value for status in statuses}
    *others, last = [status.value for status in JobStatus if status.value in words]
    return f"{', '.join(others)} or {last}" if others else last
