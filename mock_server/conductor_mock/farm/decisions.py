"""From a request and what is known to a command: nothing is changed here, and nothing is stored."""

from __future__ import annotations

from collections.abc import Collection

from conductor_mock.farm import lookup, simulation, tasks
from conductor_mock.farm.clock import LAST_US, Anchor, ClockError, speed_millionths
from conductor_mock.farm.commands import ClockSet, JobCreated
from conductor_mock.farm.ids import jid
from conductor_mock.farm.payload import Submission
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.values import Machine


def create_job(
    submission: Submission,
    *,
    body_sha256: str,
    machine: Machine,
    held: Collection[str],
    warnings: Collection[str] = (),
    idempotency_key: str | None = None,
) -> JobCreated:
    """The command for an accepted job. `held` are the base64 md5s that the account's store holds, of those it wants."""
    missing: tuple[str, ...] = ()
    if submission.local_upload:
        missing = tuple(file.path for file in submission.files if file.md5 not in held)
    return JobCreated(
        submission.payload,
        body_sha256,
        machine,
        missing,
        tuple(warnings),
        idempotency_key,
        submission=submission,
    )


def uploaded_md5s(submission: Submission) -> set[str]:
    """The base64 md5s of the contents that a job says were uploaded before it."""
    return {file.md5 for file in submission.files if file.md5} if submission.local_upload else set()


def uploaded_files(submission: Submission, missing: Collection[str]) -> list[tuple[str, str]]:
    """`(path, base64 md5)` of the files that a job says were uploaded and were. A client asks once for a content that
    lies under several paths, so only the job names them all."""
    if not submission.local_upload:
        return []
    absent = set(missing)
    return [(file.path, file.md5) for file in submission.files if file.md5 and file.path not in absent]


def job_of_key(state: State, key: str | None, body_sha256: str) -> Job | None:
    """The job that a request with this Idempotency-Key made before, if one did.

    Raises StateForbidsError when that request had another body: then one of the two is a mistake.
    """
    if key is None or key not in state.keys:
        return None
    made_by, number = state.keys[key]
    if made_by != body_sha256:
        raise StateForbidsError(
            f"Idempotency-Key {key!r} made job {jid(number)}, with another body (sha256 {made_by[:12]}..., now "
            f"{body_sha256[:12]}...); send a new key with another submission, or the same bytes with the same key"
        )
    return state.jobs[number]


SLICE = 10_000
"""What happens in one step of a long advance, about a tenth of a second's work, so that others get their turn."""


def advance_until(state: State, wall_us: int, jid: str | None) -> tuple[ClockSet, bool]:
    """The command for a step on the way to when a job has ended (`jid` None: until the farm is idle), and whether it is
    the last one. The state is at the command's time already: that is how the time is found. Raises NotThereError.
    """
    job = None if jid is None else lookup.job(state, jid)
    finished = simulation.run_until(state, lambda _: job is not None and tasks.job_has_ended(job), SLICE)
    return ClockSet(Anchor(wall_us, state.now_us, state.clock.speed_millionths)), finished


def left_to_execute(state: State, jid: str | None) -> int:
    """How many tasks run for real, when nothing else is left to wait for until a job has ended or the farm is idle."""
    if jid is not None and tasks.job_has_ended(lookup.job(state, jid)):
        return 0
    return len(state.executing)


def move_clock(
    state: State, wall_us: int, *, left_us: int = 0, speed: float | None = None
) -> tuple[ClockSet, int]:
    """The command for a step of moving simulated time on by `left_us`, and how much is left for the next step.

    The last step also sets the `speed`. The state is at the command's time already, as with `advance_until`. Raises
    ClockError, and then nothing has moved.
    """
    to_us = state.now_us + left_us
    if to_us > LAST_US:
        raise ClockError("simulated time ends with the year 9999")
    wanted = state.clock.speed_millionths if speed is None else speed_millionths(speed)
    finished = simulation.run(state, to_us, SLICE)
    millionths = wanted if finished else state.clock.speed_millionths
    return ClockSet(Anchor(wall_us, state.now_us, millionths)), to_us - state.now_us
