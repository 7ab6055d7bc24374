"""Files that exist whole and on disk, or not at all: write aside, fsync, rename, fsync the folder."""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path
from types import TracebackType

_making = threading.Lock()
_unsynced: set[Path] = set()
"""Folders that are being made: they can be seen already, and a power cut may still undo them."""


class TemporaryFile:
    """A new file in a folder, to write to; gone at the end of the block unless it was placed."""

    __slots__ = ("_file", "_name", "_placed")

    def __init__(self, folder: Path) -> None:
        self._name = folder / secrets.token_hex(16)
        self._placed = False

    def __enter__(self) -> TemporaryFile:
        self._file = self._name.open("xb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self._placed:
            self._name.unlink()

    def write(self, data: bytes) -> None:
        """Write all of `data`: a disk that is nearly full takes a part, and says so only by the count."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def sync(self) -> None:
        """Return when what was written is on disk."""
        os.fsync(self._file.fileno())

    def place(self, target: Path) -> None:
        """Give the file, synced before, its real name; the name is on disk when this returns."""
        try:
            self._name.replace(target)
        except FileNotFoundError:  # the first content of its folder
            make_folder(target.parent)
            self._name.replace(target)
        self._placed = True
        _fsync_folder(target.parent)
        if target.parent in _unsynced:
            with _making:  # whoever makes it has it
                return


def make_folder(path: Path) -> None:
    """Make a folder and those above it; their names are on disk when this returns."""
    with _making:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        _unsynced.update(missing)
        try:
            for folder in reversed(missing):
                folder.mkdir(exist_ok=True)
                _fsync_folder(folder.parent)
        finally:
            _unsynced.difference_update(missing)


def _fsync_folder(path: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there; renames are journaled by the file system
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
