"""The paths that a task's command names, and which of them lie on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from conductor_mock.outputs.commands import words

PROGRAMS = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run", "/sbin", "/sys", "/usr",
    "/Applications", "/Library", "/System", "C:/Program Files", "C:/Program Files (x86)", "C:/Windows",
)  # fmt: skip
"""Where programs lie: machines of the farm have theirs."""

_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?[/\\]")
_QUOTED = re.compile(r"""["']((?:[A-Za-z]:)?[/\\][^"']+)["']""")
_MARKERS = re.compile(r"#|%0?\d*d|\$F|\$\{?\w+|<\w+>|[*?]")
"""What stands for a frame, a tile or a variable: no file has such a name."""


def local_paths(command: str, output_path: str) -> list[str]:
    """The files and folders of this machine that a command names, but for programs and what it writes.

    With slashes, in their order, each once. Relative ones are those of the farm's machine, and no concern of ours.
    """
    aside = [*PROGRAMS, *([output_path] if output_path else [])]
    found = dict.fromkeys(_named(command))
    return [path for path in found if not any(is_below(path, one) for one in aside) and os.path.lexists(path)]


def is_below(path: str, folder: str) -> bool:
    """Whether a path with slashes is that of a folder, or of something in it."""
    clean = with_slashes(folder).rstrip("/")
    return path == clean or path.startswith(f"{clean}/")


def is_something(path: str) -> bool:
    """Whether there is anything to upload: a file, or a folder with one in it."""
    folder = Path(path)
    return not folder.is_dir() or any(one.is_file() for one in folder.rglob("*"))


def with_slashes(path: str | os.PathLike[str]) -> str:
    """A path as it is on the wire."""
    return os.fspath(path).replace("\\", "/")


def _named(command: str) -> Iterator[str]:
    for number, word in enumerate(words(command)):
        after = re.split(r"[=,;]|(?<![A-Za-z]):|(?<=\w\w):", word) if number else []
        for part in (*after, *_QUOTED.findall(word)):
            if _ABSOLUTE.match(part) and not _MARKERS.search(part):
                yield os.path.normpath(part).replace("\\", "/")
