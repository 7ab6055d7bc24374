"""Attempts that run for real: what whoever runs them must say, and what the farm makes of it (design, rule 5).

A report names its run; one on a run that is over (killed, preempted, forced, of an account that was reset) changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conductor_mock.farm import queues, recorded, simulation, tasks
from conductor_mock.farm.commands import AttemptEnded, AttemptLogged, AttemptStarted
from conductor_mock.farm.state import Execution, State
from conductor_mock.farm.statuses import NO_FAULT_OF_ITS_OWN, Outcome
from conductor_mock.farm.values import OutputFile

LOST_RUNS = 1
"""How many runs of a task may go down with their server before that fails the task; each is started again."""

ENDS = (Outcome.SUCCESS, Outcome.FAILED, Outcome.LOST, Outcome.STOPPED)
"""What a run may come to, as whoever ran it reports."""


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
        execution = state.jobs[number].tasks[index].attempts[-1].execution
        yield Active(number, index, attempt, "" if execution is None else execution.run)


def start(state: State, waiting: Active, run: str) -> AttemptStarted | None:
    """The command before an attempt is spawned; None when it is over, or was started, by now."""
    execution = _current(state, waiting)
    if execution is None or execution.run:
        return None
    return AttemptStarted(waiting.job, waiting.task, waiting.attempt, run)


def is_current(state: State, run: Active) -> bool:
    """Whether a run that was started is still wanted."""
    execution = _current(state, run)
    return execution is not None and execution.run == run.run


def end(
    state: State,
    run: Active,
    outcome: Outcome,
    *,
    exit_code: int | None = None,
    reason: str = "",
    log: str | None = None,
    outputs: tuple[OutputFile, ...] = (),
) -> AttemptEnded | None:
    """The report on a run that has ended as one of `ENDS`; None when it is stale."""
    if not is_current(state, run):
        return None
    return AttemptEnded(run.job, run.task, run.attempt, run.run, outcome, exit_code, reason, log, outputs)


def note_log(state: State, run: Active, log: str | None) -> AttemptLogged | None:
    """The log of a run that is over for the farm already; None when nobody waits for that."""
    job = state.jobs.get(run.job)
    if job is None or run.task >= len(job.tasks) or run.attempt > len(job.tasks[run.task].attempts):
        return None
    execution = job.tasks[run.task].attempts[run.attempt - 1].execution
    if execution is None or execution.run != run.run or execution.log is not None:
        return None
    return AttemptLogged(run.job, run.task, run.attempt, run.run, log)


def apply_logged(state: State, command: AttemptLogged) -> None:
    execution = recorded.execution(state, command.job, command.task, command.attempt)
    execution.log = command.log or ""


def apply_started(state: State, command: AttemptStarted) -> None:
    recorded.current_execution(state, command.job, command.task, command.attempt).run = command.run


def apply_ended(state: State, command: AttemptEnded) -> None:
    """A lost or stopped run is started again, which the retry policy does not count; too many losses are a failure.

    A success keeps exactly the files that the run left; without any there is nothing to download.
    """
    execution = recorded.current_execution(state, command.job, command.task, command.attempt)
    job, index = state.jobs[command.job], command.task
    task = job.tasks[index]
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
    for (number, index), attempt in list(state.executing.items()):
        execution = recorded.current_execution(state, number, index, attempt)
        execution.log, execution.reason = "", "the server was started again without --execute"
        job = state.jobs[number]
        job.lost += 1
        simulation.start_again(state, job, index, Outcome.STOPPED)


def _current(state: State, run: Active) -> Execution | None:
    """What is known of an attempt, if it is still under way."""
    if state.executing.get((run.job, run.task)) != run.attempt:
        return None
    return state.jobs[run.job].tasks[run.task].attempts[-1].execution
