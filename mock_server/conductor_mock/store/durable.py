"""Files that exist whole and on disk, or not at all: write aside, fsync, rename, fsync the folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def temporary_file(folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file in `folder` to write to; gone at the end of the block unless it was renamed."""
    name = folder / secrets.token_hex(16)
    with name.open("xb", buffering=0) as file:
        try:
            yield file, name
        finally:
            with suppress(FileNotFoundError):  # renamed when all went well
                name.unlink()


def write_all(file: IO[bytes], data: bytes) -> None:
    """Write all of `data`: a disk that is nearly full takes a part, and says so only by the count."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def place(name: Path, target: Path) -> None:
    """Give a file, synced before, its real name; the name is on disk when this returns."""
    try:
        name.replace(target)
    except FileNotFoundError:  # the first content of its folder
        make_folder(target.parent)
        name.replace(target)
    _fsync_folder(target.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; their names are on disk when this returns."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)


def _fsync_folder(path: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there; renames are journaled by the file system
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
