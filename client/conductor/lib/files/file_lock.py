"""A lock between processes of one user, on a file."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

logger = logging.getLogger(__name__)

# What systems answer that cannot lock: some network homes, and folders that cannot be written.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSYS})


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on ``path``, which is created if need be, and wait for it if another process has it.

    Where the file system cannot lock, goes on without, since what the lock guards is written atomically.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = path.open("ab")
    except OSError as error:
        logger.debug("no lock on %s: %s", path, error.strerror)
        yield
        return
    with stream:
        try:
            _lock(stream)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            logger.debug("no lock on %s: %s", path, error.strerror)
        yield  # closing the file releases the lock


if sys.platform == "win32":

    def _lock(stream: BinaryIO) -> None:
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)

else:

    def _lock(stream: BinaryIO) -> None:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
