"""Reading a job payload: every dialect of wire reference 3.1, with its nulls and its numbers given as text.

The payload was checked against the contract before; here it is only given its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conductor_mock.farm.frames import Frames, FramesError, chunks, parse, parse_or_none, write
from conductor_mock.farm.statuses import Outcome
from conductor_mock.md5 import canonical

DEFAULT_PRIORITY = 5
MAX_COMMANDS_CHARS = 1 << 28
"""The commands of all tasks that a command with a frame range makes; a small request must not fill the memory."""

UPLOAD_ONLY_COMMAND = "upload only"
UPLOAD_ONLY_FRAMES = "x"
FRAME_PLACEHOLDER = "<frame args>"


@dataclass(frozen=True, slots=True)
class UploadFile:
    """One input file: where it belongs, and its base64 md5 (None when a daemon is to compute it)."""

    path: str
    md5: str | None
    size: int


def text(payload: Mapping[str, Any], key: str, default: str = "") -> str:
    """The text under `key`; null and a missing key are `default`."""
    value = payload.get(key)
    return default if value is None else str(value)


def number(payload: Mapping[str, Any], key: str, default: int) -> int:
    """The whole number under `key`, which may be given as text (2019 command line); null is `default`."""
    value = payload.get(key)
    if isinstance(value, str):
        value = value.replace(
            "\ufeff", ""
        ).strip()  # white space to the contract's patterns, but not to int()
    return default if value in (None, "") else int(value)


def local_upload(payload: Mapping[str, Any]) -> bool:
    """Whether the files were uploaded before the job was posted; null and missing mean yes."""
    value = payload.get("local_upload")
    return True if value is None else bool(value)


def is_upload_only(payload: Mapping[str, Any]) -> bool:
    """Whether this is the 2019 client's job without tasks (wire reference 3.5)."""
    return (
        not payload.get("tasks_data")
        and payload.get("command") == UPLOAD_ONLY_COMMAND
        and text(payload, "frame_range") in ("", UPLOAD_ONLY_FRAMES)
    )


def upload_files(payload: Mapping[str, Any]) -> Iterator[UploadFile]:
    """The input files of the job, in the order given."""
    for entry in payload.get("upload_files") or ():
        md5 = entry.get("md5")
        yield UploadFile(
            entry["destination"], canonical(md5) if md5 else None, int(entry.get("st_size") or 0)
        )


def tasks(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`(command, frames)` of each task.

    A 2019 job has one `command` for a `frame_range`: the service cuts the range into chunks of `chunk_size` frames
    and puts each into the command (wire reference 7.3, inferred). Raises FramesError for an impossible range.
    """
    entries = payload.get("tasks_data") or ()
    if entries:
        return [(entry["command"], text(entry, "frames")) for entry in entries]
    command = text(payload, "command")
    if not command or is_upload_only(payload):
        return []
    chunk_size = max(1, number(payload, "chunk_size", 1))
    specifications = [write(chunk) for chunk in chunks(parse(text(payload, "frame_range")), chunk_size)]
    if len(command) * len(specifications) > MAX_COMMANDS_CHARS:
        raise FramesError(
            f"{len(specifications)} tasks with a command of {len(command)} characters are more than can be held"
        )
    return [(with_frames(command, frames), frames) for frames in specifications] or [(command, "")]


def with_frames(command: str, frames: str) -> str:
    """`command` with its frame placeholder, `<frame args>` in the 2019 help, replaced by a chunk of frames."""
    return command.replace(FRAME_PLACEHOLDER, frames)


def retries(payload: Mapping[str, Any]) -> dict[Outcome, int]:
    """The auto-retry policy: outcome -> how often a task is started again (wire reference 7.4)."""
    policy = payload.get("autoretry_policy") or {}
    return {
        outcome: int((policy.get(outcome) or {}).get("max_retries") or 0)
        for outcome in (Outcome.FAILED, Outcome.PREEMPTED)
        if policy.get(outcome)
    }


def notify(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The e-mail addresses of `notify`, which may be null in two places (trap 31)."""
    addresses = (payload.get("notify") or {}).get("emails") or ()
    return tuple(address for address in addresses if isinstance(address, str))


def scouts(payload: Mapping[str, Any]) -> Frames | None:
    """The scout frames of the job, or None when none are asked for or the text is none of the grammar."""
    specification = text(payload, "scout_frames")
    return parse_or_none(specification) if specification.strip() else None
