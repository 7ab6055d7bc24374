"""Wall time that does not go back for several servers, although a machine's clock is set back, or two do not agree.

On one machine the latest time that any of them was told lies in a file that all have in memory. It is no state: it
begins anew when the first of them comes, and no disk is waited for.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store.database import Database
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


class DatabaseWall:
    """The clock of a database server, for servers on several machines, whose own clocks never agree.

    It is asked whenever an account's lock was taken, and this machine only adds the time that has passed since. So it
    is never ahead, and whoever takes the lock next is told a later time than the one before has shown.

    Of two threads that ask at once the one that began first may be answered last, and late: its answer would put the
    clock behind what the other one was told. It keeps the other's, which is later than the moment at which it began.
    """

    def __init__(self, database: Database, *, seconds: Callable[[], float] = time.monotonic) -> None:
        """Raises SQLAlchemyError."""
        self._database = database
        self._seconds = seconds
        self._guard = threading.Lock()
        self._latest = 0
        self._began_s = -math.inf
        self.renew()

    def renew(self) -> None:
        """Ask again. Raises SQLAlchemyError."""
        began_s = self._seconds()
        told = _told_us(self._database)
        with self._guard:
            if began_s >= self._began_s:
                self._began_s = began_s
                self._base = (told, self._seconds())

    def __call__(self) -> int:
        """Microseconds since the epoch, never less than it told before."""
        with self._guard:
            told, at_s = self._base
            self._latest = max(self._latest, told + round((self._seconds() - at_s) * 1_000_000))
            return self._latest


def seconds_of(database: Database) -> float:
    """Wall seconds of the one clock that all servers of a database have. Raises SQLAlchemyError.

    What one of them writes down and another one compares is by this clock: those of their machines may be days apart.
    """
    return time.time() if database.backend == "sqlite" else _told_us(database) / 1_000_000


def _told_us(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(_NOW).scalar_one())


_NOW = sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")
