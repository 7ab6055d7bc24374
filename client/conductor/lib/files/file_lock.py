"""A lock between processes of one user, on a file."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

logger = logging.getLogger(__name__)

# Nobody holds a lock for longer than a few requests take; one that never comes free is on a disk that cannot lock.
PATIENCE_SECONDS = 60.0
# Between two attempts, as filelock has it. A wait inside of flock would have no end.
POLL_SECONDS = 0.05


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on ``path``, which is created if need be, and wait for it if another process has it.

    Where the file system cannot lock, goes on without, since what the lock guards is replaced as a whole.
    """
    release: Callable[[], None] | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        release = _acquire(path)
    except (
        OSError,
        NotImplementedError,
    ) as error:  # the latter from older filelocks; a timeout is an OSError
        logger.debug("no lock on %s: %s", path, error)
    try:
        yield
    finally:
        if release is not None:
            release()


def _acquire(path: Path) -> Callable[[], None]:
    """Take the lock; return what gives it back. Raises OSError."""
    if sys.platform != "linux":
        import filelock

        lock = filelock.FileLock(path)
        lock.acquire(timeout=PATIENCE_SECONDS)
        return lock.release
    # The lock that filelock would take, which each keeps the other from. Loading it takes as long as half of this
    # library, and a new user's first submission locks twice.
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _wait_for(descriptor, end)
            if os.fstat(descriptor).st_nlink:  # else who waits next would lock another file of that name
                return partial(_release, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait_for(descriptor: int, end: float) -> None:
    import fcntl

    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError("another process has held it for too long") from None
            time.sleep(POLL_SECONDS)
        else:
            return


def _release(descriptor: int) -> None:
    import fcntl

    # Closing does not do it while a process that was forked meanwhile has the file open.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
