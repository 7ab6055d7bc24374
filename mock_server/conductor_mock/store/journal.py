"""The journal: what was asked and what was answered, for people and tests to look at.

It lies in a file of its own, is not synced and is bounded: losing its tail loses no state. Secrets never reach it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor_mock.store.durable import private_database
from conductor_mock.wire.masking import mask_text

log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
KEEP = 10_000
"""Entries kept in all; older ones go first."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT, operation TEXT, method TEXT NOT NULL, path TEXT NOT NULL,
    entry TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_account ON requests (account, id);
"""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as the journal keeps it: whole up to 64 KiB, else its beginning, with size and sha256 of all of it."""

    text: str
    size: int
    sha256: str | None

    @classmethod
    def of(cls, data: bytes) -> Body:
        return cls(
            mask_text(data[:BODY_BYTES].decode("utf-8", "replace")),
            len(data),
            hashlib.sha256(data).hexdigest(),
        )

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "size": self.size, "sha256": self.sha256, "whole": self.size <= BODY_BYTES}


class Journal:
    """The last requests of every account in one SQLite file (or in memory with `path` None)."""

    def __init__(self, path: Path | None, *, keep: int = KEEP) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._connection = _open(path)

    def add(self, *, account: str | None, operation: str | None, entry: Mapping[str, Any]) -> None:
        """Keep one exchange. `entry` is JSON with at least `method` and `path`, secrets already masked."""
        row = (account, operation, entry["method"], entry["path"], json.dumps(entry))
        with self._lock:
            cursor = self._connection.execute(
                "INSERT INTO requests (account, operation, method, path, entry) VALUES (?, ?, ?, ?, ?)", row
            )
            newest = cursor.lastrowid or 0
            if newest % 100 == 0:
                self._connection.execute("DELETE FROM requests WHERE id <= ?", (newest - self._keep,))

    def find(
        self,
        *,
        account: str | None = None,
        method: str | None = None,
        path: str | None = None,
        operation: str | None = None,
        before: int | None = None,
        after: int = 0,
        limit: int = 1000,
        nobodys: bool = False,
    ) -> list[dict[str, Any]]:
        """The newest `limit` exchanges that fit every given filter, oldest first; `path` is a prefix, and theirs are
        ids below `before` and above `after`. `nobodys` are those that no account made: nobody knows whose they are.
        """
        where, values = _where(account=account, method=method, operation=operation)
        if nobodys:
            where.append("account IS NULL")
        if path is not None:
            where.append("substr(path, 1, ?) = ?")
            values += [len(path), path]
        if before is not None:
            where.append("id < ?")
            values.append(before)
        if after:
            where.append("id > ?")
            values.append(after)
        sql = "SELECT id, entry FROM requests WHERE " + " AND ".join(["1 = 1", *where])  # noqa: S608 - fixed names
        with self._lock:
            rows = self._connection.execute(sql + " ORDER BY id DESC LIMIT ?", (*values, limit)).fetchall()
        return [{"id": number, **json.loads(entry)} for number, entry in reversed(rows)]

    def one(self, number: int, *, account: str) -> dict[str, Any] | None:
        """The exchange of this id, if it is kept and of this account, or of nobody."""
        with self._lock:
            row = self._connection.execute(
                "SELECT entry FROM requests WHERE id = ? AND (account = ? OR account IS NULL)",
                (number, account),
            ).fetchone()
        return None if row is None else {"id": number, **json.loads(row[0])}

    def clear(self, account: str | None = None) -> None:
        """Forget one account's exchanges, or all of them."""
        with self._lock:
            self._connection.execute(
                "DELETE FROM requests WHERE account = ? OR ? IS NULL", (account, account)
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _open(path: Path | None) -> sqlite3.Connection:
    """The journal's file; one that a power cut has damaged, since it is not synced, is begun again."""
    if path is not None:
        private_database(path)
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if path is None or isinstance(error, sqlite3.OperationalError):
            raise
        log.warning("%s is damaged (%s) and is begun again; it holds no state", path, error)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        private_database(path)
        return _connect(path)


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if path is None else path, check_same_thread=False, isolation_level=None
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _where(**filters: str | None) -> tuple[list[str], list[Any]]:
    chosen = {name: value for name, value in filters.items() if value is not None}
    return [f"{name} = ?" for name in chosen], list(chosen.values())
