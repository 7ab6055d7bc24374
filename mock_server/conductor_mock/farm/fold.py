"""The fold: a log becomes a state, and nothing else changes state.

`apply` is one command, `advance` is the passing of time between two; `replay` is both over a whole log.
"""

from __future__ import annotations

from collections.abc import Iterable

from conductor_mock.farm import payload as reading
from conductor_mock.farm.commands import AccountOpened, ClockSet, JobCreated, OptionsChanged, Record
from conductor_mock.farm.state import Job, State, Task

SIMULATION_VERSION = 1
"""Rises with every change after which the same log would yield another state."""


class BrokenLogError(ValueError):
    """A log whose commands do not follow each other: a gap, a step back in time, no opening command."""


def replay(records: Iterable[Record], state: State | None = None) -> State | None:
    """The state after `records`, from nothing or from a snapshot's `state` (which is changed in place)."""
    for record in records:
        state = follow(state, record)
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


def advance(state: State, to_us: int) -> None:
    """Let simulated time pass up to `to_us`. Raises BrokenLogError if that lies in the past."""
    if to_us < state.now_us:
        raise BrokenLogError(f"simulated time {to_us} lies before {state.now_us}, which was already shown")
    state.now_us = to_us


def apply(state: State, record: Record) -> None:
    """Change `state` by one command, at the time it has."""
    command = record.command
    match command:
        case JobCreated():
            _create_job(state, record.seq, command)
        case ClockSet():
            state.clock = command.clock
            advance(state, command.clock.sim_us)
        case OptionsChanged():
            state.options = command.options
        case AccountOpened():
            raise BrokenLogError(f"account {state.account_id} was opened twice (command {record.seq})")
    state.seq = record.seq


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
    payload = command.payload
    files = list(reading.upload_files(payload))
    local = reading.local_upload(payload)
    status, description = _first_status(command, waits_for_daemon=not local and bool(files))
    job = Job(
        number=state.next_job_number,
        seq=seq,
        created_us=state.now_us,
        title=reading.text(payload, "job_title"),
        owner=reading.text(payload, "owner"),
        project=reading.text(payload, "project"),
        location=reading.text(payload, "location"),
        output_path=reading.text(payload, "output_path"),
        priority=reading.number(payload, "priority", reading.DEFAULT_PRIORITY),
        local_upload=local,
        machine=command.machine,
        metadata=payload.get("metadata") or {},
        upload_files=len(files),
        upload_size=sum(file.size for file in files),
        status=status,
        status_description=description,
        tasks=[Task(task, frames) for task, frames in reading.tasks(payload)],
        warnings=command.warnings,
    )
    state.jobs[job.number] = job


def _first_status(command: JobCreated, *, waits_for_daemon: bool) -> tuple[str, str]:
    """The status of a new job and why (wire reference 7.2, step 1)."""
    if command.missing:
        shown = ", ".join(command.missing[:3]) + (" ..." if len(command.missing) > 3 else "")
        return "sync_failed", f"{len(command.missing)} files were never uploaded: {shown}"
    if waits_for_daemon:
        return "upload_pending", "waiting for an uploader daemon"
    if reading.is_upload_only(command.payload):
        return "success", "upload only: there is nothing to render"
    return "pending", "waiting for machines"
