"""Reading a job payload: every dialect of wire reference 3.1, with its nulls and its numbers given as text.

The payload was checked against the contract before; here it is only given its meaning. `read` does so once for all who
want to know: the checks of the request, the decision, and the fold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from conductor_contracts.frames import Frames, FramesError, parse_or_none
from conductor_contracts.submission import number, tasks_of, text
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.statuses import Outcome
from conductor_mock.wire.md5 import canonical

Json = dict[str, Any]

DEFAULT_PRIORITY = 5

INSTANCE_TYPE_OF_2019 = "n1-{flavor}-{cores}"
"""`machine_flavor` and `cores` of the documented API name this instance type (catalogue facts)."""


class UploadFile(NamedTuple):
    """One input file: where it belongs, its base64 md5 (None when a daemon is to compute it), and its `st_mode`.

    A tuple is made in a third of the time of a frozen dataclass, and a job may have a hundred thousand.
    """

    path: str
    md5: str | None
    size: int
    mode: int | None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a job payload asks for, in one form whatever its dialect; each of its lists was walked once.

    `payload` is the JSON object as received. `tasks` are `(command, frames)`. `scout_frames` is the text, `scouts` the
    frames that it names: None when none are asked for, or when the text is none of the grammar. `local_upload` is
    whether the files were uploaded before the job was posted. `retries` is the auto-retry policy: outcome -> how often
    a task is started again (wire reference 7.4).
    """

    payload: Json
    title: str
    owner: str
    project: str
    location: str
    output_path: str
    priority: int
    preemptible: bool
    max_instances: int
    instance_type: str
    packages: Sequence[str]
    local_upload: bool
    files: tuple[UploadFile, ...]
    tasks: Sequence[tuple[str, str]]
    scout_frames: str
    scouts: Frames | None
    metadata: Json
    environment: Mapping[str, str]
    retries: Mapping[Outcome, int]
    notify: tuple[str, ...]


def read(payload: Json) -> Submission:
    """The meaning of a payload. Raises InvalidRequestError for a frame range that cannot be cut into tasks."""
    scout_frames = text(payload, "scout_frames")
    return Submission(
        payload=payload,
        title=text(payload, "job_title"),
        owner=text(payload, "owner"),
        project=text(payload, "project"),
        location=text(payload, "location"),
        output_path=text(payload, "output_path"),
        priority=number(payload, "priority", DEFAULT_PRIORITY),
        preemptible=bool(payload.get("preemptible")),
        max_instances=number(payload, "max_instances", 0),
        instance_type=_instance_type(payload),
        packages=payload.get("software_package_ids") or (),
        local_upload=_local_upload(payload),
        files=tuple(upload_files(payload)),
        tasks=_tasks(payload),
        scout_frames=scout_frames,
        scouts=parse_or_none(scout_frames) if scout_frames.strip() else None,
        metadata=payload.get("metadata") or {},
        environment=_environment(payload),
        retries=_retries(payload),
        notify=_notify(payload),
    )


def upload_files(payload: Mapping[str, Any]) -> Iterator[UploadFile]:
    """The input files of a job, in the order given."""
    for entry in payload.get("upload_files") or ():
        md5 = entry.get("md5")
        yield UploadFile(
            entry["destination"],
            canonical(md5) if md5 else None,
            int(entry.get("st_size") or 0),
            entry.get("st_mode"),
        )


def _instance_type(payload: Mapping[str, Any]) -> str:
    """The instance type, in either dialect."""
    if payload.get("instance_type"):
        return str(payload["instance_type"])
    return INSTANCE_TYPE_OF_2019.format(
        flavor=text(payload, "machine_flavor", "standard"), cores=number(payload, "cores", 1)
    )


def _local_upload(payload: Mapping[str, Any]) -> bool:
    """Null and missing mean yes."""
    value = payload.get("local_upload")
    return True if value is None else bool(value)


def _tasks(payload: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """`(command, frames)` of each task."""
    try:
        return tasks_of(payload)
    except FramesError as error:
        raise InvalidRequestError(f"frame_range: {error}", "/frame_range") from None


def _environment(payload: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the tasks as they reach them (wire reference 12.1): a whole number is its decimal text.

    What is no value of a variable is guessed at (design, values of variables): its JSON text, and null is not set.
    """
    values: Mapping[str, Any] = payload.get("environment") or {}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def _retries(payload: Mapping[str, Any]) -> dict[Outcome, int]:
    policy = payload.get("autoretry_policy") or {}
    return {
        outcome: int((policy.get(outcome) or {}).get("max_retries") or 0)
        for outcome in (Outcome.FAILED, Outcome.PREEMPTED)
        if policy.get(outcome)
    }


def _notify(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The e-mail addresses of `notify`, which may be null in two places (trap 31)."""
    addresses = (payload.get("notify") or {}).get("emails") or ()
    return tuple(address for address in addresses if isinstance(address, str))
