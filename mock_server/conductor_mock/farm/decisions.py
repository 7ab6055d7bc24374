"""From a request and what is known to a command: nothing is changed here, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from conductor_mock.farm import payload as reading
from conductor_mock.farm.commands import JobCreated
from conductor_mock.farm.frames import FramesError
from conductor_mock.farm.ids import jid
from conductor_mock.farm.refusals import InvalidRequestError, StateForbidsError
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.values import Machine

MACHINE_OF_2019 = "n1-{flavor}-{cores}"
"""`machine_flavor` and `cores` of the documented API name this instance type (catalogue facts)."""


def machine_name(payload: Mapping[str, Any]) -> str:
    """The instance type that a payload asks for, in either dialect."""
    if payload.get("instance_type"):
        return str(payload["instance_type"])
    return MACHINE_OF_2019.format(
        flavor=reading.text(payload, "machine_flavor", "standard"), cores=reading.number(payload, "cores", 1)
    )


def create_job(
    payload: dict[str, Any],
    *,
    body_sha256: str,
    machine: Machine,
    held: Callable[[Collection[str]], Collection[str]],
    warnings: Collection[str] = (),
    idempotency_key: str | None = None,
) -> JobCreated:
    """The command for an accepted job. `held` tells which of some base64 md5s the account's store holds.

    Raises InvalidRequestError for a frame range that cannot be cut into tasks.
    """
    try:
        reading.tasks(payload)
    except FramesError as error:
        raise InvalidRequestError(f"frame_range: {error}", "/frame_range") from None
    missing: tuple[str, ...] = ()
    if reading.local_upload(payload):
        files = list(reading.upload_files(payload))
        present = set(held({file.md5 for file in files if file.md5}))
        missing = tuple(file.path for file in files if file.md5 not in present)
    return JobCreated(payload, body_sha256, machine, missing, tuple(warnings), idempotency_key)


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


def held_files(payload: Mapping[str, Any], command: JobCreated) -> Iterator[tuple[str, str]]:
    """`(path, base64 md5)` of the files that a job says were uploaded and were. A client asks once for a content that
    lies under several paths, so only the job names them all."""
    missing = set(command.missing)
    if reading.local_upload(payload):
        yield from (
            (file.path, file.md5)
            for file in reading.upload_files(payload)
            if file.md5 and file.path not in missing
        )
