"""Files on this machine, as they were when somebody looked."""

from __future__ import annotations

import os
import stat as stat_modes
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from conductor.lib.exceptions import FileChangedError, InvalidPathError

_STAT_NUMBERS = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")
_STAT_TIMES = ("st_atime", "st_mtime", "st_ctime")


class LocalFile(NamedTuple):
    """A file's path, its stat at one moment, and its md5 (base64) once it is known."""

    path: str
    stat: os.stat_result
    md5: str | None = None

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.stat.st_size

    @property
    def version(self) -> tuple[int, ...]:
        """What changes when the content does: device, inode, size, times of modification and of change."""
        return (
            self.stat.st_dev,
            self.stat.st_ino,
            self.stat.st_size,
            self.stat.st_mtime_ns,
            self.stat.st_ctime_ns,
        )

    def with_md5(self, md5: str) -> LocalFile:
        """Return this file with its md5."""
        return LocalFile(self.path, self.stat, md5)

    def entry(self) -> dict[str, Any]:
        """Return the file as ``upload_files`` wants it (wire reference 3.2)."""
        numbers = {name: getattr(self.stat, name) for name in (*_STAT_NUMBERS, *_STAT_TIMES)}
        return {"md5": self.md5, "destination": self.path, **numbers}

    def same_as(self, stat: os.stat_result) -> bool:
        """Say whether the content is still what it was, as far as a stat can tell.

        The time of change (ctime) is left out: a chmod or a new link moves it too.
        """
        was = self.stat
        return (
            stat.st_mtime_ns == was.st_mtime_ns
            and stat.st_size == was.st_size
            and stat.st_ino == was.st_ino
            and stat.st_dev == was.st_dev
        )


def describe(stat: os.stat_result) -> str:
    """Return size and time of a stat, for the message about a file that changed."""
    return f"{stat.st_size} bytes, modified at {stat.st_mtime_ns / 1e9:.6f}"


def look_at(paths: Iterable[str]) -> list[LocalFile]:
    """Return the files at these paths, in order. Raises InvalidPathError listing those that are none."""
    files: list[LocalFile] = []
    problems: list[str] = []
    for path in paths:
        try:
            stat = Path(path).stat()
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
            continue
        if stat_modes.S_ISREG(stat.st_mode):
            files.append(LocalFile(path, stat))
        else:
            problems.append(f"{path}: not a regular file")
    if problems:
        raise InvalidPathError("\n  ".join(["files that cannot be uploaded:", *problems]))
    return files


def changed(file: LocalFile, actual: str, during: str) -> FileChangedError:
    """Return the error for a file that was written to. ``actual`` is its md5 or state now."""
    expected = f"md5 {file.md5}" if file.md5 else describe(file.stat)
    return FileChangedError(
        f"{file.path} changed {during}: expected {expected}, actual {actual}; "
        "submit again when nothing writes to it",
        path=file.path,
        expected=file.md5 or expected,
        actual=actual.removeprefix("md5 "),
    )
