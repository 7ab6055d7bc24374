"""Paths of the wire and where they lie in a private folder: names of somebody's machine, never used as such here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_DRIVE = re.compile(r"([A-Za-z]):[/\\]")

POSIX_FOLDER = "files"
DRIVES_FOLDER = "drives"


@dataclass(frozen=True, slots=True)
class WirePath:
    """An absolute path: its drive (an upper-case letter, or empty) and its names, without `.`, `..` and empty ones."""

    drive: str
    names: tuple[str, ...]

    def below(self, folder: str | Path) -> Path:
        """Where it lies in a private folder."""
        return Path(place(str(folder), self.drive), *self.names)


def parse(path: str) -> WirePath | None:
    """The path that a text of the wire means, or None for what is not absolute.

    `..` goes up as far as the root, as a file system reads it. Backslashes separate only behind a drive letter.
    """
    match = _DRIVE.match(path)
    if match is None and not path.startswith("/"):
        return None
    drive = match[1].upper() if match else ""
    rest = path[2:].replace("\\", "/") if match else path
    names: list[str] = []
    for name in rest.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return WirePath(drive, tuple(names))


def without_dots(path: str) -> str:
    """A path below a root, with nothing in it that leads up; as it is written when nothing does."""
    names = path.split("/")
    if ".." not in names:
        return path
    kept: list[str] = []
    for name in names:
        if name == "..":
            del kept[-1:]
        elif name not in ("", "."):
            kept.append(name)
    return "".join(f"/{name}" for name in kept)


def place(folder: str, drive: str) -> str:
    """The folder that stands for the root of POSIX paths, or for a drive; no two roots share one."""
    return f"{folder}/{DRIVES_FOLDER}/{drive}" if drive else f"{folder}/{POSIX_FOLDER}"
