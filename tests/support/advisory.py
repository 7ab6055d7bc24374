"""PostgreSQL's advisory locks of sessions, as functions of an SQLite database in memory."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from typing import Any

import sqlalchemy as sa


class Advisory:
    """One database; each connection of an engine of it is a session, whose locks are free when it ends."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, ...], int] = {}
        self.settings: dict[int, dict[str, str]] = {}
        self._pids = itertools.count(1)
        self._sessions: dict[int, sqlite3.Connection] = {}

    def engine(self) -> sa.Engine:
        """That of one more server."""
        engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=sa.pool.QueuePool)
        sa.event.listen(engine, "close", self._closed)
        return engine

    def cut(self, pid: int) -> None:
        """End a session, as when its connection is lost."""
        self.held = {key: holder for key, holder in self.held.items() if holder != pid}
        self._sessions.pop(pid).close()

    def _connect(self) -> sqlite3.Connection:
        pid = next(self._pids)
        settings = self.settings.setdefault(pid, {})

        times: Counter[tuple[int, ...]] = Counter()

        def take(*key: int) -> bool:
            times[key] += self.held.setdefault(key, pid) == pid
            return self.held[key] == pid

        def leave(*key: int) -> bool:
            """What was taken twice is given back twice."""
            if self.held.get(key) != pid:
                return False
            times[key] -= 1
            if not times[key]:
                del self.held[key]
            return True

        def set_config(name: str, value: str, is_local: bool) -> str:
            if not is_local:  # what is local ends with its transaction
                settings[name] = value
            return value

        connection = sqlite3.connect(":memory:", check_same_thread=False)
        for name, count, function in (
            ("pg_try_advisory_lock", 2, take),
            ("pg_advisory_unlock", 2, leave),
            ("pg_backend_pid", 0, lambda: pid),
            ("set_config", 3, set_config),
        ):
            connection.create_function(name, count, function)
        self._sessions[pid] = connection
        return connection

    def _closed(self, connection: Any, _record: object) -> None:
        for pid, one in self._sessions.items():
            if one is connection:
                self.held = {key: holder for key, holder in self.held.items() if holder != pid}
