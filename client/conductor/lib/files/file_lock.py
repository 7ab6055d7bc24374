"""A lock between processes of one user, on a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

# Nobody holds a lock for longer than a few requests take; one that never comes free is on a disk that cannot lock.
PATIENCE_SECONDS = 60.0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on ``path``, which is created if need be, and wait for it if another process has it.

    Where the file system cannot lock, goes on without, since what the lock guards is replaced as a whole.
    """
    import filelock  # only where it is used: it takes as long to import as half of this library

    lock = filelock.FileLock(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE_SECONDS)
    except (OSError, NotImplementedError) as error:  # the latter from older versions; a timeout is an OSError
        logger.debug("no lock on %s: %s", path, error)
    try:
        yield
    finally:
        lock.release()
