"""From a request and what is known to a command: nothing is changed here, and nothing is stored."""

from __future__ import annotations

from collections.abc import Collection

from conductor_mock.farm.commands import JobCreated
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
    received: bytes | None = None,
) -> JobCreated:
    """The command for an accepted job. `held` are the base64 md5s that the account's store holds, of those it wants;
    `received` is the JSON that the payload was read from, which then need not be written anew for the log.
    """
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
        received=received,
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
