"""Whether the commands of a bundle make a history: each must find what it is about in the state before it.

A log is trusted, since the farm decided each of its commands on the state that it then had, and the fold takes for
granted what the decision looked at. Nobody vouches for the commands of a bundle, so the same is asked of each of them
here, before the fold sees it; whatever the fold raises after that is a defect of this server, and not of the bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from conductor_mock.bundles.errors import BundleError
from conductor_mock.farm.commands import (
    AccountOpened,
    AttemptEnded,
    AttemptLogged,
    AttemptStarted,
    ClockSet,
    DownloadOffered,
    DownloadReported,
    JobChanged,
    JobCreated,
    JobsActed,
    OutputsListed,
    TaskForced,
    TasksActed,
    UploadClaimed,
    UploadFailed,
    UploadFinished,
    UploadProgressed,
)
from conductor_mock.farm.execution import Active, is_current
from conductor_mock.farm.fold import advance, follow
from conductor_mock.farm.payload import read
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import State, Task


def fold(records: Iterable[Record], now_us: int) -> State:
    """The state of an account at a time after its commands. Raises BundleError for those that make no history."""
    state: State | None = None
    for record in records:
        problem = _misfit(state, record)
        if problem is not None:
            raise _no_history(f"command {record.seq} ({record.command.kind}) {problem}")
        state = follow(state, record)
    if state is None:
        raise _no_history("there are none")
    if now_us < state.now_us:
        raise _no_history(f"they end at {state.now_us}, after the time {now_us} at which they were saved")
    advance(state, now_us)
    return state


def _no_history(why: str) -> BundleError:
    return BundleError(f"its commands do not make a history: {why}")


def _misfit(state: State | None, record: Record) -> str | None:
    """Why a command cannot follow a state, if it cannot."""
    command = record.command
    if state is None or isinstance(command, AccountOpened):
        is_first = state is None and isinstance(command, AccountOpened)
        return None if is_first else "opens no account, or one that is open"
    if record.seq != state.seq + 1:
        return f"follows command {state.seq}"
    if record.t_us < state.now_us:
        return f"is of {record.t_us}, before {state.now_us}"
    advance(state, record.t_us)  # what time alone has done by then is what it must find
    check = _CHECKS.get(type(command))
    return None if check is None else check(state, command)


def _clock(state: State, command: ClockSet) -> str | None:
    return None if command.clock.sim_us >= state.now_us else "sets the clock back"


def _new_job(_: State, command: JobCreated) -> str | None:
    try:
        read(command.payload)
    except InvalidRequestError as error:
        return f"is of a job that cannot be: {error}"
    return None


def _jobs(state: State, command: JobsActed) -> str | None:
    return next(filter(None, (_job(state, number) for number in command.jobs)), None)


def _job(state: State, number: int) -> str | None:
    return None if number in state.jobs else f"is about job {number} of {len(state.jobs)}"


def _task(state: State, number: int, index: int) -> str | None:
    problem = _job(state, number)
    if problem is None and not 0 <= index < len(state.jobs[number].tasks):
        return f"is about task {index} of the {len(state.jobs[number].tasks)} of job {number}"
    return problem


def _tasks(state: State, command: TasksActed) -> str | None:
    if not command.tasks:
        return _job(state, command.job)
    return next(filter(None, (_task(state, command.job, index) for index in command.tasks)), None)


def _upload(
    state: State, command: UploadClaimed | UploadProgressed | UploadFinished | UploadFailed
) -> str | None:
    problem = _job(state, command.job)
    if problem is None and state.jobs[command.job].upload is None:
        return f"is about the upload of job {command.job}, which has none"
    return problem


def _download(state: State, command: DownloadOffered | DownloadReported) -> str | None:
    problem = _task(state, command.job, command.task)
    if problem is not None:
        return problem
    task = _of(state, command.job, command.task)
    if task.download is None:
        return f"is about the outputs of task {command.task} of job {command.job}, which has none"
    if command.file is not None and not 0 <= command.file < len(task.outputs or ()):
        return f"is about file {command.file} of {len(task.outputs or ())}"
    return None


def _started(state: State, command: AttemptStarted) -> str | None:
    return _run(state, command, run="")


def _ended(state: State, command: AttemptEnded) -> str | None:
    return _run(state, command, run=command.run)


def _run(state: State, command: AttemptStarted | AttemptEnded, *, run: str) -> str | None:
    problem = _task(state, command.job, command.task)
    if problem is None and not is_current(state, Active(command.job, command.task, command.attempt, run)):
        return f"is about an attempt of task {command.task} of job {command.job} that does not run"
    return problem


def _logged(state: State, command: AttemptLogged) -> str | None:
    problem = _task(state, command.job, command.task)
    if problem is not None:
        return problem
    attempts = _of(state, command.job, command.task).attempts
    ran = 1 <= command.attempt <= len(attempts) and attempts[command.attempt - 1].execution is not None
    return (
        None
        if ran
        else f"is about attempt {command.attempt} of task {command.task} of job {command.job}, which never ran"
    )


def _of(state: State, number: int, index: int) -> Task:
    return state.jobs[number].tasks[index]


_CHECKS: Mapping[type, Callable[[State, Any], str | None]] = {
    ClockSet: _clock,
    JobCreated: _new_job,
    JobsActed: _jobs,
    TasksActed: _tasks,
    TaskForced: lambda state, command: _task(state, command.job, command.task),
    JobChanged: lambda state, command: _job(state, command.job),
    UploadClaimed: _upload,
    UploadProgressed: _upload,
    UploadFinished: _upload,
    UploadFailed: _upload,
    OutputsListed: lambda state, command: _task(state, command.job, command.task),
    DownloadOffered: _download,
    DownloadReported: _download,
    AttemptStarted: _started,
    AttemptEnded: _ended,
    AttemptLogged: _logged,
}
"""What a command must find; one that is not here (options, rules, a catalogue) finds all it needs in any account."""
