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
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from conductor_mock.store.durable import private_file
from conductor_mock.store.unavailable import UnavailableError

PATIENCE_S = 300.0
"""How long a thread waits for a lock that another server keeps."""


class Level(IntEnum):
    """What a lock is for, in the order in which locks are taken: whoever holds one takes only later ones."""

    UPLOAD = 1
    ACCOUNT = 2
    CONTENTS = 3
    COMMIT = 4


_KEPT: Mapping[Level, str] = {
    Level.UPLOAD: "upload",
    Level.ACCOUNT: "account",
    Level.CONTENTS: "contents",
    Level.COMMIT: "commits",
}


class KeptError(UnavailableError):
    """A lock was waited for too long."""

    def __init__(self, level: Level, waited_s: float) -> None:
        super().__init__(
            f"another server has kept the lock of its {_KEPT[level]} for {waited_s:g} s: try again, and restart that "
            "server if it does not go on"
        )


class Locks(Protocol):
    """Locks outside the process. One that is held is given back when the process, or its connection, dies.

    Raises OSError or SQLAlchemyError where none can be had, KeptError for one that is not free after a while.
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

    def __init__(self, path: Path, *, patience_s: float = PATIENCE_S) -> None:
        self._path = path
        self._patience_s = patience_s
        self._waiting = _Waiting()
        private_file(path)

    @contextmanager
    def hold(self, level: Level, name: str = "") -> Iterator[None]:
        """See `Locks`."""
        with self._opened() as handle:
            self._take(handle, fcntl.F_WRLCK, level, name)
            yield

    @contextmanager
    def share(self, level: Level, name: str = "") -> Iterator[None]:
        """See `Locks`."""
        with self._opened() as handle:
            self._take(handle, fcntl.F_RDLCK, level, name)
            yield

    @contextmanager
    def try_hold(self, level: Level, name: str = "") -> Iterator[bool]:
        """See `Locks`."""
        with self._opened() as handle:
            yield _try_lock(handle, number_of(level, name))

    def close(self) -> None:
        """See `Locks`."""
        self._waiting.close()

    def _take(self, handle: int, kind: int, level: Level, name: str) -> None:
        number = number_of(level, name)
        # Whoever waits keeps the gate, where those who share come in: else they could keep it out for ever.
        try:
            if _try_lock(handle, _gate(number), kind) and _try_lock(handle, number, kind):
                return
            wait = _Wait(handle, kind, number)
            self._waiting.begin(wait)
            if not wait.has_ended(self._patience_s):
                raise KeptError(level, self._patience_s)
        finally:  # by name: one who gave up is in the kernel still, which keeps what was opened
            _lock(handle, fcntl.F_UNLCK, _gate(number))

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A description of the file of our own; what it holds goes with it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            yield handle
        finally:
            os.close(handle)


class _Wait:
    """A wait for a lock that is kept, which a thread sits through for somebody who may give up.

    It has a handle of its own to the same open file: a lock that comes when nobody wants it any more goes with that.
    """

    def __init__(self, handle: int, kind: int, number: int) -> None:
        self._kind = kind
        self._number = number
        self._handle = os.dup(handle)
        self._is_given_up = False
        self._error: BaseException | None = None
        self._under_way = threading.Lock()
        self._under_way.acquire()

    def has_ended(self, patience_s: float) -> bool:
        """Whether the lock came in time. Raises what the system refuses."""
        try:
            came = self._under_way.acquire(timeout=patience_s)
        finally:
            self._is_given_up = True
        if self._error is not None:
            raise self._error
        return came

    def run(self) -> None:
        """Have the lock for whoever waits."""
        try:
            _lock(self._handle, self._kind, _gate(self._number))
            if not self._is_given_up:
                _lock(self._handle, self._kind, self._number)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        finally:
            os.close(self._handle)
            self._under_way.release()


class _Waiting:
    """Threads that wait in the kernel, which knows no limit: one that comes back takes the next wait.

    To start one for each wait costs several times as much.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._idle: list[SimpleQueue[_Wait | None]] = []
        self._is_closed = False

    def begin(self, wait: _Wait) -> None:
        """Let a thread run it; where none is to be had, run it here."""
        if os.getpid() != self._process:  # those of the process that this one was forked off are not here
            self._process, self._idle = os.getpid(), []
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            try:
                threading.Thread(target=self._run, args=(inbox,), name="lock", daemon=True).start()
            except RuntimeError:
                wait.run()
                return
        inbox.put(wait)

    def _run(self, inbox: SimpleQueue[_Wait | None]) -> None:
        while (wait := inbox.get()) is not None:
            wait.run()
            self._idle.append(inbox)
            if self._is_closed:
                self.close()

    def close(self) -> None:
        """End the threads, as soon as they are idle."""
        self._is_closed = True
        while self._idle:
            with suppress(IndexError):  # somebody else takes the last one
                self._idle.pop().put(None)


def _gate(number: int) -> int:
    return number | 1 << 62


def _lock(handle: int, kind: int, number: int) -> None:
    fcntl.fcntl(handle, fcntl.F_OFD_SETLKW, _FLOCK.pack(kind, os.SEEK_SET, number, 1, 0))


def _try_lock(handle: int, number: int, kind: int = fcntl.F_WRLCK) -> bool:
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, number, 1, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
