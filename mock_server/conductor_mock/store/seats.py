"""Seats that one of several servers takes, and that its death frees at once: locks of the kernel or of a database.

Beside SQLite a seat is a lock of a file, which the kernel gives back with its process. In PostgreSQL it is an advisory
lock of a session, which ends with its connection. Neither needs a clock, so none has to be right.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from zlib import crc32

import filelock
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store.database import Database
from conductor_mock.store.durable import private_file
from conductor_mock.store.telling import Telling
from conductor_mock.store.trouble import first_line

log = logging.getLogger(__name__)

_CLASS = 0x53656174
"""The first of the two keys of our advisory locks; the other one is made of the seat's name."""

_KEEP_ALIVE: Mapping[str, int] = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
"""Seconds, seconds and tries after which PostgreSQL takes a machine that says nothing for gone; hours by default."""


class Seats(Protocol):
    """Which seats this server has. Safe in any thread; nothing raises."""

    def take(self, name: str) -> bool:
        """Take a seat that nobody has, without waiting; whether that went well."""

    def holds(self, name: str) -> bool:
        """Whether this server still has it: asked where the seat is, not remembered."""

    def give_back(self, name: str) -> None:
        """Let another one have it."""

    def close(self) -> None:
        """Give back all."""


class OwnSeats:
    """Those of a server that is alone: it has what it takes."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> bool:
        self._taken.add(name)
        return True

    def holds(self, name: str) -> bool:
        return name in self._taken

    def give_back(self, name: str) -> None:
        self._taken.discard(name)

    def close(self) -> None:
        self._taken.clear()


class FileSeats:
    """Locks of files: `FILE.NAME.seat` beside a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._locks: dict[str, filelock.BaseFileLock] = {}
        self._guard = threading.Lock()

    def take(self, name: str) -> bool:
        path = self._file.with_name(f"{self._file.name}.{name}.seat")
        with self._guard:
            lock = self._locks.get(name)
            if lock is None:
                lock = self._locks[name] = filelock.FileLock(path, thread_local=False)
            if lock.is_locked:
                return True
            try:
                private_file(path)
                lock.acquire(timeout=0)
            except filelock.Timeout:
                return False
            except OSError as error:
                log.warning("cannot use %s: %s", path, error.strerror or error)
                return False
            return True

    def holds(self, name: str) -> bool:
        with self._guard:
            lock = self._locks.get(name)
            return lock is not None and lock.is_locked

    def give_back(self, name: str) -> None:
        with self._guard:
            lock = self._locks.get(name)
            if lock is not None:
                lock.release()

    def close(self) -> None:
        for name in list(self._locks):
            self.give_back(name)


class AdvisorySeats:
    """Advisory locks of one session of PostgreSQL. When its connection is lost, so is every seat."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._session: sa.Connection | None = None
        self._taken: set[str] = set()
        self._guard = threading.Lock()
        self._trouble = Telling(log)

    def take(self, name: str) -> bool:
        with self._guard:
            if name not in self._taken and self._ask("pg_try_advisory_lock", name):
                self._taken.add(name)
            return name in self._taken

    def holds(self, name: str) -> bool:
        with self._guard:
            if name in self._taken:
                self._ask("pg_backend_pid")  # a session that answers has kept what it had
            return name in self._taken

    def give_back(self, name: str) -> None:
        with self._guard:
            if name in self._taken:
                self._ask("pg_advisory_unlock", name)
                self._taken.discard(name)

    def close(self) -> None:
        with self._guard:
            self._leave()

    def _ask(self, function: str, name: str | None = None) -> bool:
        """Call a function of PostgreSQL in the session; False when there is none any more."""
        arguments = () if name is None else (_CLASS, crc32(name.encode()) & 0x7FFFFFFF)
        try:
            session = self._session or self._begun()
            answer = session.execute(sa.select(getattr(sa.func, function)(*arguments))).scalar_one()
        except SQLAlchemyError as error:
            self._trouble.goes_on("the database does not say which server does what: %s", first_line(error))
            self._leave()
            return False
        self._trouble.is_over("the database says again which server does what")
        return bool(answer)

    def _begun(self) -> sa.Connection:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._session = session
        for name, value in _KEEP_ALIVE.items():
            session.execute(sa.select(sa.func.set_config(name, str(value), False)))
        return session

    def _leave(self) -> None:
        """End the session: it must not come back to the pool with its locks."""
        self._taken.clear()
        session, self._session = self._session, None
        if session is not None:
            with suppress(SQLAlchemyError):
                session.invalidate()
            with suppress(SQLAlchemyError):
                session.close()


def seats_in(database: Database) -> Seats:
    """The seats of all servers of a database."""
    if database.backend == "postgresql":
        return AdvisorySeats(database.engine)
    file = database.engine.url.database
    return FileSeats(Path(file)) if file and file != ":memory:" else OwnSeats()
