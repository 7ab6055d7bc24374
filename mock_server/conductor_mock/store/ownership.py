"""The right to a file or a folder that several servers share. The first one has it alone until all is prepared."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import filelock

from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.durable import private_file
from conductor_mock.store.locks import is_supported

PREPARING_S = 10.0
"""How long one who comes waits for the first one to have prepared what they share."""
LOOK_EVERY_S = 0.05


class NotToBeSharedError(Exception):
    """A server has it for itself alone."""


class OwnershipLostError(OSError):
    """Another server has it now; the text says so, for everybody to read."""


class Ownership(Protocol):
    """What several servers have together, and the first of them alone until it shares."""

    is_first: bool

    def share(self) -> None:
        """All is prepared: let the others in. Raises NotToBeSharedError for one who took it at this very moment."""

    def release(self) -> None:
        """Give it back. Safe to call twice."""


class SharedOwnership:
    """A lock file that is shared, or for the first one its own until `share`. The kernel gives it back at the end.

    It keeps out whoever wants the file alone by `lock_file`, and is kept out by it.
    """

    def __init__(
        self, path: Path, *, pause: Callable[[float], None] = time.sleep, patience_s: float = PREPARING_S
    ) -> None:
        """Raises NotToBeSharedError, OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_file(path)
        self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self.is_first = self._take(fcntl.LOCK_EX)
            if not self.is_first:
                self._join(pause, round(patience_s / LOOK_EVERY_S))
        except BaseException:
            self.release()
            raise

    def _join(self, pause: Callable[[float], None], looks: int) -> None:
        while not self._take(fcntl.LOCK_SH):
            if not looks:
                raise NotToBeSharedError
            looks -= 1
            pause(LOOK_EVERY_S)

    def share(self) -> None:
        """See `Ownership`."""
        if not self._take(fcntl.LOCK_SH):
            raise NotToBeSharedError

    def is_last(self) -> bool:
        """Whether nobody else has it; nobody else gets it then, until it is released."""
        return self._take(fcntl.LOCK_EX)

    def release(self) -> None:
        """Give it back. Safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _take(self, kind: int) -> bool:
        try:
            fcntl.flock(self._handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_GLANCE_S = 0.5
"""How long a lock may be held by somebody who only looks whether it is held."""


def in_use(shown: str, how: str = "") -> DatabaseError:
    """That another server has a database or directory, and what to do about it."""
    return DatabaseError(
        f"{shown} is in use by another conductor-mock server{how}: stop that one first, or name another data directory "
        "and database; servers that are all started with --shared have one together"
    )


def lock_file(path: Path, shown: str) -> filelock.BaseFileLock:
    """Take the lock beside a database or directory. Raises DatabaseError when another process holds it."""
    lock = filelock.FileLock(path, thread_local=False)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_file(path)
        lock.acquire(timeout=_GLANCE_S)
    except filelock.Timeout:
        raise in_use(shown) from None
    except OSError as error:
        raise DatabaseError(f"cannot use {shown}: {error.strerror or error}") from error
    return lock


def share_file(path: Path, shown: str) -> SharedOwnership:
    """Take the lock beside a database or directory with others that share it. Raises DatabaseError."""
    if not is_supported():
        raise DatabaseError(f"{shown} can be shared on Linux only, which has the locks for it")
    try:
        return SharedOwnership(path)
    except NotToBeSharedError:
        raise in_use(shown, ", which shares it with nobody") from None
    except OSError as error:
        raise DatabaseError(f"cannot use {shown}: {error.strerror or error}") from error
