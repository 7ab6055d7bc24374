"""Locks that several servers on one machine share: ranges of a file, which the kernel gives back when a process dies.

Each lock is one byte of a file that has none: its place follows from the lock's name. It belongs to whoever opened the
file (an open file description), so two threads of a process keep each other out as two processes do.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from conductor_mock.store.durable import private_file


class Level(IntEnum):
    """What a lock is for, in the order in which locks are taken: whoever holds one takes only later ones."""

    UPLOAD = 1
    ACCOUNT = 2
    CONTENTS = 3
    COMMIT = 4


class Locks(Protocol):
    """Locks outside the process. One that is held is given back when the process, or its connection, dies.

    Raises OSError or SQLAlchemyError where none can be had.
    """

    def hold(self, level: Level, name: str = "") -> AbstractContextManager[None]:
        """For the block, nobody else holds or shares this lock."""

    def share(self, level: Level, name: str = "") -> AbstractContextManager[None]:
        """For the block, nobody holds this lock; others may share it. One who waits to hold it comes first."""

    def try_hold(self, level: Level, name: str = "") -> AbstractContextManager[bool]:
        """`hold` without waiting; whether it is held."""

    def close(self) -> None:
        """Give back what belongs to the locks themselves."""


def number_of(level: Level, name: str) -> int:
    """The number of a lock, of 62 bits: that two names have the same is less likely than that a disk lies."""
    digest = hashlib.blake2b(f"{level.name}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def is_supported() -> bool:
    """Whether this system has such locks: Linux does."""
    return hasattr(fcntl, "F_OFD_SETLKW")


_FLOCK = struct.Struct("@hhqqi4x")
"""`struct flock` of 64-bit Linux: type, from where, begin, length, no process."""


class FileLocks:
    """Locks in a file, for the servers of one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        private_file(path)

    @contextmanager
    def hold(self, level: Level, name: str = "") -> Iterator[None]:
        """See `Locks`."""
        number = number_of(level, name)
        with self._opened() as handle:
            # Whoever waits keeps the gate, where those who share come in: else they could keep it out for ever.
            _lock(handle, fcntl.F_WRLCK, _gate(number))
            _lock(handle, fcntl.F_WRLCK, number)
            _lock(handle, fcntl.F_UNLCK, _gate(number))
            yield

    @contextmanager
    def share(self, level: Level, name: str = "") -> Iterator[None]:
        """See `Locks`."""
        number = number_of(level, name)
        with self._opened() as handle:
            _lock(handle, fcntl.F_RDLCK, _gate(number))
            _lock(handle, fcntl.F_RDLCK, number)
            _lock(handle, fcntl.F_UNLCK, _gate(number))
            yield

    @contextmanager
    def try_hold(self, level: Level, name: str = "") -> Iterator[bool]:
        """See `Locks`."""
        with self._opened() as handle:
            yield _try_lock(handle, number_of(level, name))

    def close(self) -> None:
        """See `Locks`."""

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A description of the file of our own; what it holds goes with it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            yield handle
        finally:
            os.close(handle)


def _gate(number: int) -> int:
    return number | 1 << 62


def _lock(handle: int, kind: int, number: int) -> None:
    fcntl.fcntl(handle, fcntl.F_OFD_SETLKW, _FLOCK.pack(kind, os.SEEK_SET, number, 1, 0))


def _try_lock(handle: int, number: int) -> bool:
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
