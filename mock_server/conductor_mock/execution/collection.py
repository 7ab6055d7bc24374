"""What appeared or changed below the output folder while a command ran.

All is looked at by descriptors, below the folder of the run that was opened before the command began (`folders.py`): a
folder on the way that is a link by now is not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field

from conductor_mock.execution import folders
from conductor_mock.execution.folders import Found, LinkError

MOST_BYTES = 4096
"""Of an output's path: no system takes a longer one."""

MOST_FOLDERS = 255
"""Around an output: more are a mistake, and programs that recurse give up on them."""

MOST_LINES = 100
"""Of what is said to be refused; the rest is counted."""

Seen = dict[str, tuple[int, int, int]]
"""What a file was, by its path below the folder: time of change, size, number."""


class CollectionError(Exception):
    """Nothing can be collected; the text says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file to download: its path below the output folder, and where it lies there, which a link may have said."""

    path: str
    place: str


@dataclass(slots=True)
class Collected:
    """Files to download, sorted, and what was refused, in words."""

    made: list[Made] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unsaid: int = 0
    """How many more were refused."""

    def refuse(self, found: str, problem: str) -> None:
        if len(self.refused) < MOST_LINES:
            self.refused.append(f"{_shown(found)} is not collected: {problem}")
        else:
            self.unsaid += 1


def look(root: int, names: Sequence[str]) -> Seen:
    """What lies below a folder now, which is named from `root`. Raises OSError."""
    with folders.below(root, names) as output:
        return {_path(found): _state(found.status) for found in folders.walk(output) if _is_file(found)}


def collect(root: int, names: Sequence[str], before: Seen, *, spelling: str = "") -> Collected:
    """What is new or other than `before`. Links that lead out of the folder, and what is no file, are refused.

    `spelling` is the folder's path as the command knew it, where that is another one than this machine's. Raises
    CollectionError when the folder is not what it was, OSError.
    """
    collected = Collected()
    try:
        with folders.below(root, names) as output:
            _add_new(collected, output, before, spelling)
    except LinkError:
        raise CollectionError(
            "the output folder, or one above it, is a link by now, or no folder: nothing of it was collected"
        ) from None
    except FileNotFoundError:
        collected.refused.append("nothing is collected: the output folder is gone")
    collected.made.sort(key=lambda made: made.path)
    collected.refused.sort()
    return collected


def open_made(root: int, names: Sequence[str], made: Made) -> int:
    """A file descriptor of a file that was collected. Raises OSError when it has become something else."""
    *above, name = made.place.split("/")
    with folders.below(root, [*names, *above]) as folder:
        return folders.open_file(folder, name)


def _add_new(collected: Collected, output: int, before: Seen, spelling: str) -> None:
    place = _place(output)
    for found in folders.walk(output):
        if not _is_new(found, before):
            continue
        problem = _problem(found)
        if not problem and _is_link(found):
            where = _behind(found, output, place, spelling)
            if isinstance(where, Made):
                collected.made.append(where)
                continue
            problem = where
        if problem:
            collected.refuse(_path(found), problem)
        else:
            collected.made.append(Made(_path(found), _path(found)))


def _is_new(found: Found, before: Seen) -> bool:
    """Whether there is anything to say of it: of a folder only when it cannot be read."""
    if found.status is None:
        return True
    if stat.S_ISDIR(found.status.st_mode):
        return False
    return before.get(_path(found)) != _state(found.status)


def _problem(found: Found) -> str:
    """Why something is not collected, but for what a link leads to; empty when nothing speaks against it."""
    if found.status is None:
        return "the folder cannot be read"
    if not (_is_file(found) and (stat.S_ISREG(found.status.st_mode) or _is_link(found))):
        return "it is no file"
    if len(found.above) > MOST_FOLDERS:
        return f"it lies in more than {MOST_FOLDERS} folders"
    try:
        size = len(_path(found).encode("utf-8"))
    except UnicodeEncodeError:
        return "its name is no text"
    return f"its path has more than {MOST_BYTES} bytes" if size > MOST_BYTES else ""


def _behind(found: Found, output: int, place: str, spelling: str) -> Made | str:
    """The file that a link leads to, or why it is not collected. It is not opened, so nothing happens to it."""
    start, target = found.folder, os.readlink(found.name, dir_fd=found.folder)
    if spelling and target.startswith(spelling + "/"):
        start, target = output, target[len(spelling) :].lstrip("/")
    try:
        handle = os.open(target, os.O_PATH | os.O_CLOEXEC, dir_fd=start)
    except OSError:
        return "it is a link to nowhere"
    try:
        mode = os.fstat(handle).st_mode
        real = _place(handle)
    except OSError:
        return "it is a link to nowhere"
    finally:
        os.close(handle)
    if stat.S_ISDIR(mode):
        return "it is a link to a folder"
    if not real.startswith(place + "/"):
        return "it is a link that leads out of the output folder"
    if not stat.S_ISREG(mode):
        return "it is no file"
    return Made(_path(found), real[len(place) + 1 :])


def _place(handle: int) -> str:
    """Where what is open lies now."""
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - a text


def _path(found: Found) -> str:
    """A path to offer, or what is said instead of one that is none to offer."""
    above = found.above
    if len(above) > MOST_FOLDERS:
        above = [*above[:3], f"({len(above) - 6} folders)", *above[-3:]]
    return "/".join([*above, found.name])


def _is_file(found: Found) -> bool:
    return found.status is not None and not stat.S_ISDIR(found.status.st_mode)


def _is_link(found: Found) -> bool:
    return found.status is not None and stat.S_ISLNK(found.status.st_mode)


def _state(status: os.stat_result | None) -> tuple[int, int, int]:
    return (0, 0, 0) if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def _shown(name: str) -> str:
    text = repr(name.encode("utf-8", "replace").decode())
    return text if len(text) <= 200 else f"{text[:98]} ... {text[-97:]}"
