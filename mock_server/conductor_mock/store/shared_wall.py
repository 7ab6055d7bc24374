"""Wall time that does not go back for several servers of one machine, although its clock is set back.

The latest time that any of them was told lies in a file that all have in memory. It is no state: it begins anew when
the first of them comes, and no disk is waited for.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from conductor_mock.store.durable import private_file
from conductor_mock.store.wall import WallClock

FILE = "time"
_TIME = struct.Struct("=q")


class SharedWall:
    """The wall clock of several servers; a clock that is set back stands still for all of them. Close it."""

    def __init__(self, path: Path, wall: WallClock, *, begins: bool) -> None:
        """`begins`: whatever the file has is of servers that are gone. Raises OSError."""
        self._wall = wall
        private_file(path)
        with path.open("r+b") as file:
            if begins or os.fstat(file.fileno()).st_size != _TIME.size:
                file.truncate(0)
                file.truncate(_TIME.size)
            self._latest = mmap.mmap(file.fileno(), _TIME.size)

    def __call__(self) -> int:
        """Microseconds since the epoch, never less than any of the servers was told before."""
        now: int = self._wall()
        latest: int = _TIME.unpack_from(self._latest)[0]
        if now <= latest:
            return latest
        _TIME.pack_into(self._latest, 0, now)
        return now

    def close(self) -> None:
        """Give the file back."""
        self._latest.close()
