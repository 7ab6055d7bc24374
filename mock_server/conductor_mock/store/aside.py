"""Where what was found damaged is kept for people to look at: nothing there is ever written over."""

from __future__ import annotations

import os
from pathlib import Path

from conductor_mock.store.durable import NewFile, fsync_folder, private_folder

DAMAGED = "damaged"
"""The folder of a data directory for what was found to be damaged."""


def set_aside(path: Path, folder: Path) -> None:
    """Move a file to `folder`, under a name that is free there; one that is not there is passed over."""
    if not os.path.lexists(path):
        return
    private_folder(folder)
    path.rename(_free(folder / path.name))
    fsync_folder(folder)


def keep_aside(data: bytes, path: Path) -> None:
    """Write what was no file of its own to a new one, of this name or one like it; on disk when this returns."""
    private_folder(path.parent)
    with NewFile(path.parent, private=True) as file:
        file.write(data)
        file.sync()
        file.place(_free(path))


def _free(path: Path) -> Path:
    """A path like this one that nothing lies at."""
    number, target = 1, path
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.name}.{number}")
    return target


def note_aside(lines: list[str], file: Path) -> None:
    """Add lines to a file, on disk when this returns. They begin on a line of their own, whoever was killed before."""
    private_folder(file.parent)
    with file.open("a+b") as open_file:
        if open_file.tell():
            open_file.seek(-1, os.SEEK_END)
            if open_file.read(1) != b"\n":
                open_file.write(b"\n")
        open_file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
        open_file.flush()
        os.fsync(open_file.fileno())
    fsync_folder(file.parent)
