"""The SQLite file in which uploads remember things between runs; one for each user.

It is an aid: what cannot be read or written is logged and done without. Several processes may use it at once
(write-ahead log, a busy timeout), and one that is damaged is set aside under another name and begun again.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from conductor.lib.files.file_lock import locked
from conductor.lib.files.local_paths import cache_folder

logger = logging.getLogger(__name__)

T = TypeVar("T")

FILE_NAME = "uploads.sqlite3"
BUSY_SECONDS = 5.0
_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS md5s (path TEXT PRIMARY KEY, version TEXT NOT NULL, md5 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL, PRIMARY KEY (upload, number)
);
"""
# Rows kept of each table; the oldest go first. Half a million md5s are about 90 MB.
KEPT = {"md5s": 500_000, "parts": 50_000}
_MAGIC = b"SQLite format 3\0"
_SUFFIXES = ("", "-wal", "-shm")


def default_path() -> Path:
    """Return where the file lies unless ``database_filepath`` says otherwise.

    The name is not the vendor's, whose file lies in the shared temporary folder, where anybody may write.
    """
    return cache_folder() / FILE_NAME


class CacheFile:
    """One such file. Each use opens it anew, so it may be used from any thread and after a fork."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = path.parent / f"{path.name}.lock"

    def read(self, use: Callable[[sqlite3.Connection], T], otherwise: T, problem: str) -> T:
        """Return what ``use`` makes of a connection; ``otherwise`` where there is no file, or none of use.

        ``problem`` says in the log what it means that the file is of no use.
        """
        try:
            if not self._is_there():
                return otherwise
            with closing(self._connect()) as connection:
                return use(connection)
        except (sqlite3.DatabaseError, OSError) as error:
            self._report(error, problem)
            return otherwise

    def write(self, use: Callable[[sqlite3.Connection], None], problem: str) -> None:
        """Let ``use`` write in one transaction. ``problem`` says in the log what it means that it could not."""
        try:
            if not self._is_there():
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                use(connection)
        except (sqlite3.DatabaseError, OSError) as error:
            self._report(error, problem)

    def _is_there(self) -> bool:
        """Raises OSError for a folder or a device, beside which SQLite would put files of its own."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return True

    def _report(self, error: sqlite3.DatabaseError | OSError, problem: str) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self._set_aside(error)
        else:
            logger.warning("%s (%s): %s", problem, self.path, error)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                with locked(self._lock):  # one at a time: no wait is made for a change of the journal's mode
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT"
                    )
            connection.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Rename a damaged file, unless another process did so already and began a new one.

        A file of another kind, which somebody named by mistake, is left where it is.
        """
        aside = self.path.with_name(f"{self.path.name}.damaged")
        try:
            with locked(self._lock):
                if not self._is_damaged():
                    return
                if not self._is_ours():
                    logger.warning("%s is no SQLite file, so nothing is remembered in it", self.path)
                    return
                self.path.replace(aside)
                for suffix in _SUFFIXES[1:]:  # they belong to the damaged one
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as problem:
            logger.warning(
                "%s is damaged (%s) and could not be set aside: %s", self.path, error, problem.strerror
            )
            return
        logger.warning("%s is damaged (%s): it is now %s, and a new one is begun", self.path, error, aside)

    def _is_ours(self) -> bool:
        if self.path.name == FILE_NAME:
            return True
        with self.path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC

    def _is_damaged(self) -> bool:
        if not self.path.exists():
            return False
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        except sqlite3.OperationalError:
            return False  # busy, or not readable: that says nothing about what is in it
        except sqlite3.DatabaseError:
            return True


def prune(connection: sqlite3.Connection, table: str) -> None:
    """Delete the oldest rows beyond KEPT. Row numbers only grow, so this looks at no more than it deletes."""
    newest = f"(SELECT max(rowid) FROM {table})"  # noqa: S608 - a name of our own
    connection.execute(f"DELETE FROM {table} WHERE rowid <= {newest} - ?", (KEPT[table],))  # noqa: S608
