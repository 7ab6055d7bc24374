"""The fold: a log becomes a state, and nothing else changes state.

`apply` is one command, `advance` is the passing of time between two; `replay` is both over a whole log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from conductor_contracts.frames import parse_or_none
from conductor_mock.farm import actions, downloads, execution, leases, queues, simulation, tasks, uploads
from conductor_mock.farm.commands import (
    AccountOpened,
    AttemptEnded,
    AttemptLogged,
    AttemptStarted,
    CatalogReplaced,
    ClockSet,
    Command,
    DownloadOffered,
    DownloadReported,
    JobChanged,
    JobCreated,
    JobsActed,
    OptionsChanged,
    OutputsListed,
    RulesChanged,
    TaskForced,
    TasksActed,
    UploadClaimed,
    UploadFailed,
    UploadFinished,
    UploadProgressed,
)
from conductor_mock.farm.payload import Submission, read
from conductor_mock.farm.recorded import BrokenLogError
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import Job, State, Task, Upload
from conductor_mock.farm.statuses import Phase, TaskStatus

SIMULATION_VERSION = 1
"""Rises with every change after which the same log would yield another state."""


EVENTS_OF_A_COMMAND = 20
"""A command takes about as long to replay as so many events of the farm."""


def replay(
    records: Iterable[Record],
    state: State | None = None,
    *,
    most: int | None = None,
    between: Callable[[], None] = lambda: None,
) -> State | None:
    """The state after `records`, from nothing or from a snapshot's `state` (which is changed in place).

    With `most`, `between` is called in between when so many events have happened since it was last: others have their
    turn.
    """
    done = 0
    for record in records:
        happened, jobs = (0, 0) if state is None else (state.happened, len(state.jobs))
        if most is not None and state is not None:
            while not advance(state, max(state.now_us, record.t_us), most):
                between()
                done, happened = 0, state.happened
        state = follow(state, record)
        done += EVENTS_OF_A_COMMAND + state.happened - happened
        done += sum(len(state.jobs[number].tasks) for number in range(jobs + 1, len(state.jobs) + 1))
        if most is not None and done >= most:
            between()
            done = 0
    return state


def follow(state: State | None, record: Record) -> State:
    """The state after `record`: time passes up to it, then its command is applied."""
    if state is None:
        if not isinstance(record.command, AccountOpened):
            raise BrokenLogError(f"a log begins with account.opened, this one with {record.command.kind}")
        return _opened(record, record.command)
    if record.seq != state.seq + 1:
        raise BrokenLogError(
            f"command {record.seq} follows {state.seq} in the log of account {state.account_id}"
        )
    advance(state, record.t_us)
    apply(state, record)
    return state


def advance(state: State, to_us: int, most: int | None = None) -> bool:
    """Let simulated time pass up to `to_us`, or until `most` things have happened; whether it is `to_us` now.

    Raises BrokenLogError if that lies in the past.
    """
    if to_us < state.now_us:
        raise BrokenLogError(f"simulated time {to_us} lies before {state.now_us}, which was already shown")
    finished = simulation.run(state, to_us, most)
    leases.expire(state)
    return finished


def apply(state: State, record: Record) -> None:
    """Change `state` by one command, at the time it has."""
    command = record.command
    if isinstance(command, JobCreated):
        _create_job(state, record.seq, command)
    elif isinstance(command, CatalogReplaced):
        state.catalog_seq = None if command.document is None else record.seq
    else:
        EFFECTS[type(command)](state, command)
    simulation.give_slots(state)
    state.seq = record.seq


def _set_clock(state: State, command: ClockSet) -> None:
    old_speed = state.clock.speed_millionths
    state.clock = command.clock
    advance(state, command.clock.sim_us)
    leases.rescale(state, old_speed, command.clock.speed_millionths)


def _change_options(state: State, command: OptionsChanged) -> None:
    state.options = command.options
    if not state.options.execute:
        execution.abandon(state)


def _change_rules(state: State, command: RulesChanged) -> None:
    state.rules = command.rules


def _open_again(state: State, command: AccountOpened) -> None:
    raise BrokenLogError(f"account {state.account_id} was opened twice, again as {command.client_id!r}")


EFFECTS: Mapping[type[Command], Callable[[State, Any], None]] = {
    AccountOpened: _open_again,
    OptionsChanged: _change_options,
    ClockSet: _set_clock,
    UploadClaimed: uploads.apply_claimed,
    UploadProgressed: uploads.apply_progressed,
    UploadFinished: uploads.apply_finished,
    UploadFailed: uploads.apply_failed,
    JobsActed: actions.apply_jobs,
    TasksActed: actions.apply_tasks,
    TaskForced: actions.apply_forced,
    OutputsListed: downloads.apply_listed,
    AttemptStarted: execution.apply_started,
    AttemptEnded: execution.apply_ended,
    AttemptLogged: execution.apply_logged,
    DownloadOffered: downloads.apply_offered,
    DownloadReported: downloads.apply_reported,
    RulesChanged: _change_rules,
    JobChanged: actions.apply_changed,
}
"""What each command does to a state; `apply` knows those of which the place in the log matters."""


def _opened(record: Record, command: AccountOpened) -> State:
    return State(
        client_id=command.client_id,
        account_id=command.account_id,
        key_sha256=command.key_sha256,
        options=command.options,
        clock=command.clock,
        opened_us=record.t_us,
        now_us=record.t_us,
        seq=record.seq,
    )


def _create_job(state: State, seq: int, command: JobCreated) -> None:
    """A new job, of the submission that was read when it was accepted, or of the payload in the log."""
    submission = command.submission or _read_again(command)
    waits_for_daemon = not submission.local_upload and bool(submission.files)
    phase, note = _first_phase(command, waits_for_daemon=waits_for_daemon)
    job = Job(
        number=state.next_job_number,
        seq=seq,
        created_us=state.now_us,
        title=submission.title,
        owner=submission.owner,
        project=submission.project,
        location=submission.location,
        output_path=submission.output_path,
        priority=submission.priority,
        preemptible=submission.preemptible,
        local_upload=submission.local_upload,
        machine=command.machine,
        metadata=submission.metadata,
        environment=submission.environment,
        upload_files=len(submission.files),
        upload_size=sum(file.size for file in submission.files),
        phase=phase,
        note=note,
        phases=[(state.now_us, phase)],
        warnings=command.warnings,
        upload=Upload() if waits_for_daemon else None,
        retries=submission.retries,
        max_instances=submission.max_instances,
        notify=submission.notify,
    )
    for task in _tasks(submission):
        tasks.add(job, task)
    state.jobs[job.number] = job
    queues.note_upload(state, job)
    if command.idempotency_key is not None:
        state.keys[command.idempotency_key] = (command.body_sha256, job.number)
    if phase == Phase.SYNCING:
        simulation.begin_sync(state, job)


def _read_again(command: JobCreated) -> Submission:
    """The payload of a job in a log, which was read without fault when it was accepted. Raises BrokenLogError."""
    try:
        return read(command.payload)
    except InvalidRequestError as error:
        raise BrokenLogError(f"a job was accepted that cannot be: {error}") from None


def _tasks(submission: Submission) -> list[Task]:
    """The tasks of a new job: those with a scout frame start, the rest are held; none with one: all start (wire
    reference 7.3)."""
    scouts = submission.scouts
    new = [Task(command, frames, TaskStatus.PENDING) for command, frames in submission.tasks]
    if scouts is None:
        return new
    chosen = [(frames := parse_or_none(task.frames)) is not None and frames.meets(scouts) for task in new]
    if any(chosen):
        for task, is_scout in zip(new, chosen, strict=True):
            task.scout = is_scout
            task.status = TaskStatus.PENDING if is_scout else TaskStatus.HOLDING
    return new


def _first_phase(command: JobCreated, *, waits_for_daemon: bool) -> tuple[Phase, str]:
    """What keeps a new job from its tasks, and why (wire reference 7.2, step 1)."""
    if command.missing:
        shown = ", ".join(command.missing[:3]) + (" ..." if len(command.missing) > 3 else "")
        return Phase.SYNC_FAILED, f"{len(command.missing)} files were never uploaded: {shown}"
    if waits_for_daemon:
        return Phase.UPLOAD_PENDING, "waiting for an uploader daemon"
    return Phase.SYNCING, ""
