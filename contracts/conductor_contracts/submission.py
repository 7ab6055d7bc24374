"""What a job payload that keeps the contract asks for: its tasks in either dialect, and what in it is probably wrong.

Server and `check` read it here, so that what one of them takes the other takes too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conductor_contracts.frames import Frames, FramesError, chunks, parse, parse_or_none, write
from conductor_contracts.problems import Problem, clip, pointer

UPLOAD_ONLY_COMMAND = "upload only"
UPLOAD_ONLY_FRAMES = "x"
FRAME_PLACEHOLDER = "<frame args>"
MAX_COMMANDS_CHARS = 1 << 28
"""The commands of all tasks that a command with a frame range makes; a small request must not fill the memory."""

_NAMED = 3

Payload = Mapping[str, Any]
Tasks = Sequence[tuple[str, str]]
"""`(command, frames)` of each task."""


def text(payload: Payload, key: str, default: str = "") -> str:
    """The text under `key`; null and a missing key are `default`."""
    value = payload.get(key)
    return default if value is None else str(value)


def number(payload: Payload, key: str, default: int) -> int:
    """The whole number under `key`, which may be given as text (2019 command line); null is `default`."""
    value = payload.get(key)
    if isinstance(value, str):
        value = value.replace("\ufeff", "").strip()  # white space to the contract's patterns, not to int()
    return default if value in (None, "") else int(value)


def is_upload_only(payload: Payload) -> bool:
    """Whether this is the 2019 client's job without tasks (wire reference 3.5)."""
    return (
        not payload.get("tasks_data")
        and payload.get("command") == UPLOAD_ONLY_COMMAND
        and text(payload, "frame_range") in ("", UPLOAD_ONLY_FRAMES)
    )


def with_frames(command: str, frames: str) -> str:
    """`command` with its frame placeholder, `<frame args>` in the 2019 help, replaced by a chunk of frames."""
    return command.replace(FRAME_PLACEHOLDER, frames)


def tasks_of(payload: Payload) -> Tasks:
    """`(command, frames)` of each task. Raises FramesError for a frame range that cannot be cut into tasks.

    A 2019 job has one `command` for a `frame_range`: the service cuts the range into chunks of `chunk_size` frames
    and puts each into the command (wire reference 7.3, inferred).
    """
    entries = payload.get("tasks_data") or ()
    if entries:
        return [(entry["command"], text(entry, "frames")) for entry in entries]
    command = text(payload, "command")
    if not command or is_upload_only(payload):
        return ()
    frames = parse(text(payload, "frame_range"))
    specifications = [write(chunk) for chunk in chunks(frames, max(1, number(payload, "chunk_size", 1)))]
    if len(command) * len(specifications) > MAX_COMMANDS_CHARS:
        raise FramesError(
            f"{len(specifications)} tasks with a command of {len(command)} characters are more than can be held"
        )
    return [(with_frames(command, chunk), chunk) for chunk in specifications] or [(command, "")]


def odd_variables(payload: Payload) -> Iterator[Problem]:
    """What is no value of a variable (wire reference 12.1): neither text nor a whole number; true is none."""
    for name, value in (payload.get("environment") or {}).items():
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            yield Problem(
                pointer("/environment", name), f"must be text or a whole number, got {json.dumps(value)}"
            )


def odd_scouts(scout_frames: str, tasks: Tasks) -> Iterator[Problem]:
    """Scout frames that hold nothing back: such as name no frames, or frames of no task (wire reference 7.3)."""
    if not scout_frames.strip():
        return
    scouts = parse_or_none(scout_frames)
    if scouts is None:
        yield Problem("/scout_frames", f"{scout_frames[:40]!r} is no frame specification, so no task is held")
    elif tasks and not fits_a_task(scouts, tasks):
        yield Problem(
            "/scout_frames", f"{scout_frames[:40]!r} fits no task, so none is held; {frames_of_tasks(tasks)}"
        )


def fits_a_task(frames: Frames, tasks: Tasks) -> bool:
    """Whether a task has one of these frames."""
    return any((own := parse_or_none(spec)) is not None and own.meets(frames) for _, spec in tasks)


def frames_of_tasks(tasks: Tasks) -> str:
    """Which frames the tasks have, in words: the first few."""
    named = [spec for _, spec in tasks if spec.strip()]
    if not named:
        return "the tasks do not say their frames"
    shown = ", ".join(clip(spec) for spec in named[:_NAMED])
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"the frames of the tasks are {shown}{more}"
