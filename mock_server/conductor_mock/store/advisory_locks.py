"""Locks that servers on several machines share: advisory locks of PostgreSQL, given back with their connection.

Each lock that is held or waited for has a connection of its own. Locks of one level use connections of that level
alone: whoever holds one of an earlier level never waits for a connection that only he could give back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from conductor_mock.store.locks import PATIENCE_S, KeptError, Level, number_of

CONNECTIONS: Mapping[Level, int] = {Level.UPLOAD: 4, Level.ACCOUNT: 6, Level.CONTENTS: 3, Level.COMMIT: 1}
"""At most, of one server. Of those for uploads, whoever makes one whole leaves one free (`parts.COMPLETIONS`)."""
_NOT_AVAILABLE = "55P03"
"""What PostgreSQL calls a lock that was waited for too long."""


class AdvisoryLocks:
    """The locks of one database. Close it."""

    def __init__(self, url: sa.URL, *, patience_s: float = PATIENCE_S) -> None:
        """`patience_s` is how long a thread waits for a connection to be free, and then for the lock."""
        self._patience_s = patience_s
        self._engines = {
            level: sa.create_engine(
                url,
                isolation_level="AUTOCOMMIT",
                pool_pre_ping=True,
                pool_size=count,
                max_overflow=0,
                pool_timeout=patience_s,
            )
            for level, count in CONNECTIONS.items()
        }
        for engine in self._engines.values():
            sa.event.listen(engine, "connect", self._limit)

    def _limit(self, connection: Any, _record: object) -> None:
        """A new connection, which commits by itself, waits for no lock longer than a thread waits for a connection."""
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {round(self._patience_s * 1000)}")

    @contextmanager
    def hold(self, level: Level, name: str = "") -> Iterator[None]:
        """See `Locks`. Those who wait come in the order in which they came."""
        with self._held(level, sa.func.pg_advisory_lock(number_of(level, name))):
            yield

    @contextmanager
    def share(self, level: Level, name: str = "") -> Iterator[None]:
        """See `Locks`."""
        with self._held(level, sa.func.pg_advisory_lock_shared(number_of(level, name))):
            yield

    @contextmanager
    def try_hold(self, level: Level, name: str = "") -> Iterator[bool]:
        """See `Locks`."""
        with self._held(level, sa.func.pg_try_advisory_lock(number_of(level, name))) as taken:
            yield bool(taken)

    @contextmanager
    def _held(self, level: Level, take: sa.ColumnElement[object]) -> Iterator[object]:
        with self._engines[level].connect() as connection:
            try:
                yield self._taken(connection, level, take)
            finally:
                self._give_back(connection)

    def _taken(self, connection: sa.Connection, level: Level, take: sa.ColumnElement[object]) -> object:
        try:
            return connection.execute(sa.select(take)).scalar_one()
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
                raise
            raise KeptError(level, self._patience_s) from error

    def _give_back(self, connection: sa.Connection) -> None:
        """All that the connection holds; with one that is broken it is given back already."""
        try:
            connection.execute(sa.select(sa.func.pg_advisory_unlock_all()))
        except sa.exc.SQLAlchemyError as error:
            connection.invalidate(error)

    def close(self) -> None:
        """See `Locks`."""
        for engine in self._engines.values():
            engine.dispose()


class SharedDatabase:
    """The right to a PostgreSQL database that several servers have, and the first of them alone until it shares."""

    def __init__(self, connection: sa.Connection, key: int) -> None:
        """`connection` is kept for as long as the right is."""
        self._connection = connection
        self._key = key
        self.is_first = self._take(sa.func.pg_try_advisory_lock(key))

    def join(self) -> bool:
        """Have it with the others; whether they share it, by now."""
        return self._take(sa.func.pg_try_advisory_lock_shared(self._key))

    def share(self) -> None:
        """See `Ownership`. Both locks are ours for a moment, so that nobody comes in between."""
        self._take(sa.func.pg_try_advisory_lock_shared(self._key))
        self._take(sa.func.pg_advisory_unlock(self._key))

    def release(self) -> None:
        """See `Ownership`: the connection is the database's to close."""

    def _take(self, call: sa.ColumnElement[object]) -> bool:
        taken = self._connection.execute(sa.select(call)).scalar_one()
        self._connection.commit()
        return bool(taken)
