"""Attempts that run for real: what whoever runs them must say, and what the farm makes of it (design, rule 5).

A report names its run; one on a run that is over (killed, preempted, forced, of an account that was reset) changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conductor_mock.farm import queues, simulation, tasks
from conductor_mock.farm.commands import AttemptEnded, AttemptLogged, AttemptStarted
from conductor_mock.farm.state import Attempt, Execution, Job, State
from conductor_mock.farm.statuses import NO_FAULT_OF_ITS_OWN, Outcome
from conductor_mock.farm.values import OutputFile

LOST_RUNS = 1
"""How many runs of a task may go down with their server before that fails the task; each is started again."""


@dataclass(frozen=True, slots=True)
class Active:
    """An attempt (from 1) under way that runs for real, or is to; `run` is empty until it was started."""

    job: int
    task: int
    attempt: int
    run: str


def active(state: State) -> Iterator[Active]:
    """Every attempt that should be running for real now, in the order in which they got their instances."""
    for (number, index), attempt in state.executing.items():
        yield Active(number, index, attempt, _execution(state.jobs[number], index).run)


def start(state: State, one: Active, run: str) -> AttemptStarted | None:
    """The command before an attempt is spawned; None when it is over, or was started, by now."""
    if _current(state, one) is None or _execution(state.jobs[one.job], one.task).run:
        return None
    return AttemptStarted(one.job, one.task, one.attempt, run)


def is_current(state: State, one: Active) -> bool:
    """Whether a run that was started is still wanted."""
    attempt = _current(state, one)
    return attempt is not None and attempt.execution is not None and attempt.execution.run == one.run


def end(
    state: State,
    one: Active,
    outcome: Outcome,
    *,
    exit_code: int | None = None,
    reason: str = "",
    log: str | None = None,
    outputs: tuple[OutputFile, ...] = (),
) -> AttemptEnded | None:
    """The report on a run that has ended; None when it is stale."""
    if not is_current(state, one):
        return None
    return AttemptEnded(one.job, one.task, one.attempt, one.run, outcome, exit_code, reason, log, outputs)


def note_log(state: State, one: Active, log: str | None) -> AttemptLogged | None:
    """What a run said that is over for the farm already; None when nobody waits for that."""
    job = state.jobs.get(one.job)
    if job is None or one.task >= len(job.tasks) or one.attempt > len(job.tasks[one.task].attempts):
        return None
    execution = job.tasks[one.task].attempts[one.attempt - 1].execution
    if execution is None or execution.run != one.run or execution.log is not None:
        return None
    return AttemptLogged(one.job, one.task, one.attempt, one.run, log)


def apply_logged(state: State, command: AttemptLogged) -> None:
    execution = state.jobs[command.job].tasks[command.task].attempts[command.attempt - 1].execution
    assert execution is not None  # noqa: S101 - decided on one, under the same lock
    execution.log = command.log or ""


def apply_started(state: State, command: AttemptStarted) -> None:
    _execution(state.jobs[command.job], command.task).run = command.run


def apply_ended(state: State, command: AttemptEnded) -> None:
    """A lost or stopped run is started again, which the retry policy does not count; too many losses are a failure.

    A success keeps exactly the files that the run left; without any there is nothing to download.
    """
    job, index = state.jobs[command.job], command.task
    task = job.tasks[index]
    execution = _execution(job, index)
    execution.log, execution.reason = command.log or "", command.reason
    if command.outcome in NO_FAULT_OF_ITS_OWN:
        if command.outcome == Outcome.LOST and tasks.tries(task, Outcome.LOST) >= LOST_RUNS:
            execution.reason = f"{command.reason}, for the second time"
            simulation.finish(state, job, index, Outcome.FAILED, None)
        else:
            job.lost += 1
            simulation.start_again(state, job, index, command.outcome)
        return
    simulation.finish(state, job, index, command.outcome, command.exit_code)
    if command.outcome == Outcome.SUCCESS:
        task.outputs = command.outputs
        if not command.outputs:
            task.download = None
        queues.note_outputs(state, job, index)


def abandon(state: State) -> None:
    """The account executes no more: what ran for real is started again as a simulation."""
    for number, index in list(state.executing):
        job = state.jobs[number]
        execution = _execution(job, index)
        execution.log, execution.reason = "", "the server was started again without --execute"
        job.lost += 1
        simulation.start_again(state, job, index, Outcome.STOPPED)


def _current(state: State, one: Active) -> Attempt | None:
    if state.executing.get((one.job, one.task)) != one.attempt:
        return None
    return state.jobs[one.job].tasks[one.task].attempts[-1]


def _execution(job: Job, index: int) -> Execution:
    execution = job.tasks[index].attempts[-1].execution
    assert execution is not None  # noqa: S101 - it is in `State.executing`, or a command says that it ran
    return execution
