"""How many transactions a database has taken, written down beside it, so that a lost tail is noticed.

What SQLite cannot read at the end of its write-ahead log it takes for a transaction that was never finished: the
database is then a whole one of before, and says nothing. So each transaction counts itself in the database, and a file
beside it has the last count. The file is written after the commit and never waited for: it may lag behind, it is never
ahead of what was acknowledged.
"""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store import driver
from conductor_mock.store.driver import raw_of
from conductor_mock.store.durable import private_file
from conductor_mock.store.tables import META

log = logging.getLogger(__name__)

NAME = "commits"
"""The name of its row in `meta`."""
_SET = "UPDATE meta SET value = ? WHERE name = 'commits'"
_COUNT = "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'commits'"
_COUNTED = "SELECT value FROM meta WHERE name = 'commits'"


def file_of(database: Path) -> Path:
    """The file beside a database."""
    return database.with_name(f"{database.name}.commits")


def noted(path: Path) -> int | None:
    """The count that a file has; None where there is none. Raises ValueError for a damaged one."""
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    if not text.strip("\0"):  # a power cut came before its first write
        return None
    number = text[:20]
    if text != _line(int(number)):
        raise ValueError(f"{path.name} is damaged")
    return int(number)


def counted(connection: sa.Connection) -> int:
    """The count that a database has; 0 for one that never counted."""
    value = connection.execute(sa.select(META.c.value).where(META.c.name == NAME)).scalar_one_or_none()
    return int(value) if value is not None and value.isdigit() else 0


class Commits:
    """The count of one SQLite database, whose transactions come one after the other."""

    def __init__(self, path: Path, count: int | None, *, is_shared: bool = False) -> None:
        """`count` is what the database says; None where others count already. With `is_shared` only it knows."""
        private_file(path)
        self._is_shared = is_shared
        self._count = 0
        self._file = path.open("r+b", buffering=0)
        if count is not None:
            self.committed(count)

    def next(self, connection: sa.Connection) -> int:
        """Count a transaction before its commit."""
        raw = raw_of(connection)
        if self._is_shared:
            driver.execute(raw, _COUNT, ())
            return int(driver.answers(raw, _COUNTED, ())[0][0])
        driver.execute(raw, _SET, (str(self._count + 1),))
        return self._count + 1

    def committed(self, count: int) -> None:
        """The transaction with this number is on disk, and no other one was begun yet."""
        self._count = count
        try:
            self._file.seek(0)
            self._file.write(_line(count).encode("ascii"))
        except OSError as error:  # it lags behind then; what was committed stays so
            log.warning("%s could not be written: %s", self._file.name, error.strerror or error)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _line(count: int) -> str:
    number = f"{count:020d}"
    return f"{number} {zlib.crc32(number.encode('ascii')):08x}\n"
