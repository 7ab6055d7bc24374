"""Folders that a task has had its hands on: made, walked and taken away by descriptors, a name at a time.

No name is followed if it is a link, no path is ever put together, and nothing recurses: a folder may be nested a
hundred thousand times, be replaced by a link at any moment, or hold what cannot be read. One descriptor is open at a
time, and the way back up is checked: it leads to the folder that was left, or the walk ends.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def _flags(*names: str) -> int:
    """Flags of `open`, as far as this system has them: tasks run for real on Linux alone, which has all."""
    return sum(getattr(os, f"O_{name}", 0) for name in names)


_READ = _flags("RDONLY", "CLOEXEC")
_FOLDER = _READ | _flags("DIRECTORY", "NOFOLLOW")
_NOTHING = _flags("PATH", "NOFOLLOW", "CLOEXEC")
"""To look at something without doing anything to it: to open a device or a pipe may have an effect."""


class LinkError(OSError):
    """Where a folder or a file ought to be there is something else, such as a link."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk has found. `folder` (a descriptor) and `above` (names below the root) are the walk's own: they change
    when it goes on. `status` None: a folder that cannot be read.
    """

    folder: int
    above: list[str]
    name: str
    status: os.stat_result | None


def open_root(path: str | Path) -> int:
    """A descriptor of a folder that is no link itself. Raises OSError."""
    return os.open(path, _FOLDER)


@contextmanager
def below(root: int, names: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of a folder below `root`; with `make` the folders on the way are made.

    Raises FileNotFoundError, LinkError for what is no folder on the way, OSError.
    """
    folder = os.dup(root)
    try:
        for name in names:
            if make:
                _make(folder, name)
            try:
                inner = os.open(name, _FOLDER, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ENOTDIR, errno.ELOOP):
                    raise LinkError(error.errno, "a link, or no folder", name) from error
                raise
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def open_file(folder: int, name: str) -> int:
    """A descriptor to read a file with; nothing happens to what is no file. Raises LinkError, OSError."""
    handle = os.open(name, _NOTHING, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise LinkError(errno.EINVAL, "a link, or no file", name)
        return os.open(f"/proc/self/fd/{handle}", _READ)
    finally:
        os.close(handle)


def walk(root: int) -> Iterator[Found]:
    """Everything below a folder but the folders themselves are entered too; each is named before what is in it.

    Raises LinkError when a folder was moved away while the walk was in it, OSError.
    """
    folder = os.dup(root)
    try:
        names: list[str] = []
        way: list[
            tuple[tuple[int, int], list[str]]
        ] = []  # to each folder above: which it was, what is left in it
        inner: list[str] = []
        yield from _entries(folder, names, inner)
        while True:
            if inner:
                name = inner.pop()
                try:
                    entered = os.open(name, _FOLDER, dir_fd=folder)
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                        yield Found(folder, names, name, None)
                    continue
                way.append((_identity(folder), inner))
                os.close(folder)
                folder, inner = entered, []
                names.append(name)
                yield from _entries(folder, names, inner)
            elif way:
                identity, inner = way.pop()
                folder = _up(folder, identity)
                names.pop()
            else:
                return
    finally:
        os.close(folder)


def remove(parent: int, name: str) -> None:
    """Take away what has this name, with all that is in it, folders that cannot be read included. Raises OSError."""
    if not _is_folder(parent, name):
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return
        return
    way = [(_identity(parent), name)]
    folder = _enter(parent, name)
    try:
        while way:
            inner = _empty(folder)
            if inner is not None:
                way.append((_identity(folder), inner))
                entered = _enter(folder, inner)
                os.close(folder)
                folder = entered
                continue
            identity, name = way.pop()
            folder = _up(folder, identity)
            os.rmdir(name, dir_fd=folder)
    finally:
        os.close(folder)


def _make(folder: int, name: str) -> None:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return


def _entries(folder: int, names: list[str], inner: list[str]) -> Iterator[Found]:
    """What lies in a folder; the names of the folders in it are put into `inner`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    inner.append(entry.name)
                yield Found(folder, names, entry.name, entry.stat(follow_symlinks=False))
            except FileNotFoundError:  # gone since
                continue


def _up(folder: int, identity: tuple[int, int]) -> int:
    """The folder above, in exchange for this one, if it is the one that was left."""
    above = os.open("..", _FOLDER, dir_fd=folder)
    if _identity(above) != identity:
        os.close(above)
        raise LinkError(errno.ESTALE, "a folder was moved while it was looked at")
    os.close(folder)
    return above


def _identity(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _is_folder(parent: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _enter(parent: int, name: str) -> int:
    """A folder that is to be emptied, with every right to do so."""
    handle = os.open(name, _NOTHING, dir_fd=parent)
    try:
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{handle}", stat.S_IRWXU)  # noqa: PTH101 - the descriptor's own
        return os.open(f"/proc/self/fd/{handle}", _READ | _flags("DIRECTORY"))
    finally:
        os.close(handle)


def _empty(folder: int) -> str | None:
    """Take away all files of a folder, until there is a folder in it: its name; None when nothing is left."""
    while True:
        count = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    return entry.name
                os.unlink(entry.name, dir_fd=folder)
        if not count:
            return None
