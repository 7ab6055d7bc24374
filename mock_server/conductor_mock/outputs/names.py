"""What the simulated outputs of a task are called: as its command says, and each with its frame in its name.

`beauty.0057.simulated.png` stands for `-o /out/beauty.####.exr`: a simulated picture is a PNG and says what it is. The
last number of every name is its frame, so pictures of different frames never have one name, whatever the commands of
a job are (`_ends_with`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from conductor_contracts.frames import parse_or_none
from conductor_mock.farm.ids import tid
from conductor_mock.outputs.commands import PICTURE_ENDINGS, RenderCommand, Target, read

MAX_PICTURES = 1000
"""A task that names more frames than that gets pictures of the first ones."""

MAX_DEPTH = 8
MAX_NAME_BYTES = 120
ENDING = ".simulated.png"


@dataclass(frozen=True, slots=True)
class OutputName:
    """A file below a job's output path: its relative path, with `/`, and the frame that it shows, if it has one."""

    path: str
    frame: int | None


def output_names(command: str, frames: str, *, task: int, output_path: str, title: str) -> list[OutputName]:
    """The files that a task leaves, one for each of its frames; at least one, at most `MAX_PICTURES`.

    The frames are those that the task names, else those of its command, else none: then the task's id is in the name.
    """
    rendered = read(command, output_path)
    place = _place(rendered.target, output_path, title)
    shown = _frames(frames, rendered)
    names = [OutputName(_path(place, frame, task, alone=len(shown) == 1), frame) for frame in shown]
    return list({name.path: name for name in names}.values())


def _frames(text: str, rendered: RenderCommand) -> Sequence[int | None]:
    frames = parse_or_none(text)
    if frames is None or not frames.ranges:
        frames = rendered.frames
    return list(islice(frames or (), MAX_PICTURES)) or [None]


# Where a picture belongs


_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class _Place:
    """Folders and stem of a task's pictures, markers of frames included.

    A `prefix` gets numbers as it is. A stem that is the job's title has no frame in it, whatever numbers it has.
    """

    folders: tuple[str, ...]
    stem: str
    prefix: bool = False
    is_title: bool = False


def _place(target: Target | None, output_path: str, title: str) -> _Place:
    own = _UNFIT.sub("_", title).strip("._") or "output"
    if target is None:
        return _Place((), own, is_title=True)
    folders, name = _below(target.path, output_path)
    if target.prefix:
        return _Place(tuple(folders), name, prefix=True)
    return _Place(tuple(folders), _without_ending(name) if name else own, is_title=not name)


def _below(path: str, output_path: str) -> tuple[list[str], str]:
    """Folders and last part of a path below the output path; of a path that lies elsewhere the last part alone."""
    parts, root, is_folder = _parts(path), _parts(output_path), path.endswith(("/", "\\"))
    if root[:1] == ["/"] and parts[: len(root)] == root:
        parts = parts[len(root) :]
    elif "/" in parts or ".." in parts:
        parts = [] if is_folder else [part for part in parts if part not in ("/", "..")][-1:]
    parts = parts[-MAX_DEPTH:]
    return (parts, "") if is_folder or not parts else (parts[:-1], parts[-1])


def _parts(path: str) -> list[str]:
    """The parts of a path of either kind of system, dots resolved; `/` is the first one of an absolute path."""
    text = re.sub(r"^[A-Za-z]:(?=[/\\])", "", path).replace("\\", "/")
    absolute = text.startswith("/")
    parts: list[str] = []
    for part in text.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", ".") and not (absolute and part == ".."):
            parts.append(part)
    return ["/", *parts] if absolute else parts


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and stem and ending.lower() in PICTURE_ENDINGS else name


# Its name


_MARKER = re.compile(
    r"(?P<hashes>\#+) | %0?(?P<printf>\d{0,2})d | \$\{?F(?P<houdini>\d{0,2})(?![a-z])\}? | @{2,}"
    r" | <(?:f|frame)(?P<angle>\d{0,2})> | \{frame(?::0?(?P<braces>\d{0,2})d)?\}",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
"""Where a frame belongs: `####`, `%04d`, `$F4`, `<frame>`, `<f>`, `@@@@`, `{frame:04d}`."""

_LAST_NUMBER = re.compile(
    r"(?P<task>(?:^|\.)task)?(?:(?<![A-Za-z0-9])(?P<minus>-))?(?P<digits>\d+)(?=\D*$)", re.ASCII
)
_MAX_PADDING = 10
_FRAME_DIGITS = 3
_FORBIDDEN = frozenset('\\/:*?"<>|')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE | re.ASCII)


def _path(place: _Place, frame: int | None, task: int, *, alone: bool) -> str:
    folders = [part for part in (_fit(_with_frame(part, frame)) for part in place.folders) if part]
    name = _fit(_with_frame(place.stem, frame))
    number = f"task{tid(task)}" if frame is None else f"{frame:04d}"
    written = _MARKER.search(place.stem) is not None or (
        alone and _has_long_number(name) and not place.is_title
    )
    if not (written and _ends_with(name, frame)):
        attached = name + number
        name = attached if place.prefix and _ends_with(attached, frame) else f"{name}.{number}".lstrip(".")
    return "/".join([*folders, name + ENDING])


def _has_long_number(name: str) -> bool:
    """Whether the last number of a name is written as frames are: `beauty.0057`, but `take_2` is no frame 2."""
    match = _LAST_NUMBER.search(name)
    return match is not None and len(match["digits"]) >= _FRAME_DIGITS


def _with_frame(text: str, frame: int | None) -> str:
    def shown(match: re.Match[str]) -> str:
        if frame is None:
            return ""
        if match["hashes"] or match[0].startswith("@"):
            width = len(match[0])
        else:
            digits = match["printf"] or match["houdini"] or match["angle"] or match["braces"]
            width = int(digits or (4 if match[0].startswith("<") else 1))
        return f"{frame:0{min(width, _MAX_PADDING)}d}"

    return _MARKER.sub(shown, text)


def _ends_with(name: str, frame: int | None) -> bool:
    """Whether the last number in a name is this frame: a name has one last number, so two frames have two names.

    A minus counts where no word ends before it: `shot-0005` shows frame 5, `shot.-005` frame -5.
    """
    match = _LAST_NUMBER.search(name)
    if match is None or frame is None or match["task"]:
        return False
    digits = match["digits"].lstrip("0") or "0"
    return digits == str(abs(frame)) and (match["minus"] is not None) == (frame < 0)


def _fit(part: str) -> str:
    """A part of a path that every file system takes: what it forbids becomes `_`, long names are cut."""
    text = re.sub(r"<(\w+)>", r"\1", part)
    text = "".join(letter if letter.isprintable() and letter not in _FORBIDDEN else "_" for letter in text)
    text = text.encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(" .")
    return f"_{text}" if _DEVICES.match(text) else text
