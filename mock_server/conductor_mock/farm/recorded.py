"""What a command of a log speaks of. It was decided on what was there, under the same lock: a log that names anything
else is broken, and that is the log's doing (or that of who wrote a bundle), not a request's nor a defect's.
"""

from __future__ import annotations

from conductor_mock.farm.state import Download, Execution, Job, State, Upload


class BrokenLogError(ValueError):
    """A log whose commands do not follow each other: a gap, a step back in time, no opening command, a job that
    is not there."""


def job(state: State, number: int) -> Job:
    """The job that a command names. Raises BrokenLogError."""
    if number not in state.jobs:
        raise BrokenLogError(f"a command is about job {number}, and there are {len(state.jobs)} jobs")
    return state.jobs[number]


def task_job(state: State, number: int, index: int) -> Job:
    """The job whose task a command names. Raises BrokenLogError."""
    named = job(state, number)
    if not 0 <= index < len(named.tasks):
        raise BrokenLogError(
            f"a command is about task {index} of job {number}, which has {len(named.tasks)} tasks"
        )
    return named


def upload(state: State, number: int) -> tuple[Job, Upload]:
    """The job whose files a command brings, and how far that is. Raises BrokenLogError."""
    named = job(state, number)
    if named.upload is None:
        raise BrokenLogError(f"a command is about an upload of job {number}, which has none")
    return named, named.upload


def download(state: State, number: int, index: int) -> Download:
    """The outputs of a task that a command hands out. Raises BrokenLogError."""
    outputs = task_job(state, number, index).tasks[index].download
    if outputs is None:
        raise BrokenLogError(f"a command is about outputs of task {index} of job {number}, which has none")
    return outputs


def execution(state: State, number: int, index: int, attempt: int) -> Execution:
    """What is known of an attempt (from 1) that runs or ran for real. Raises BrokenLogError."""
    attempts = task_job(state, number, index).tasks[index].attempts
    known = attempts[attempt - 1].execution if 1 <= attempt <= len(attempts) else None
    if known is None:
        raise BrokenLogError(
            f"a command is about attempt {attempt} of task {index} of job {number}, which never ran for real"
        )
    return known


def current_execution(state: State, number: int, index: int, attempt: int) -> Execution:
    """What is known of an attempt that is under way for real. Raises BrokenLogError."""
    known = execution(state, number, index, attempt)
    if state.executing.get((number, index)) != attempt:
        raise BrokenLogError(
            f"a command is about attempt {attempt} of task {index} of job {number}, which has ended"
        )
    return known
