"""The journal: what was asked and what was answered, for people and tests to look at.

It lies in a file of its own, is not synced and is bounded: losing its tail loses no state. Secrets never reach it. One
thread writes, so no answer waits for it; whoever reads sees every request that was answered before.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from conductor_mock.settings import MAX_JOURNAL_BYTES
from conductor_mock.store.batches import Batches
from conductor_mock.store.durable import private_database
from conductor_mock.wire.masking import mask_text

log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
_SMALL, _REMEMBERED = 4096, 64
"""Bodies of up to so many bytes are looked at once, and so many are remembered: polls have the same answers."""

KEEP = 10_000
"""Entries kept in all; older ones go first."""

_SPARE = 20
"""Where there are too many bytes, a twentieth of what is allowed goes too: not every request has to remove some."""

_LOOK_EVERY = 100
"""Requests after which those are forgotten that are too many."""

_SUMMED = "account, operation, method, path, entry"
ROW = f"id, {_SUMMED}, sum"
"""The columns of a row, as `is_whole` takes them."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT, operation TEXT, method TEXT NOT NULL, path TEXT NOT NULL,
    entry TEXT NOT NULL, sum INTEGER
);
CREATE INDEX IF NOT EXISTS by_account ON requests (account, id);
CREATE TABLE IF NOT EXISTS forgotten (account TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL);
"""
_NOBODY = ""
"""In place of an account, in `forgotten`."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as the journal keeps it: whole up to 64 KiB, else its beginning, with size and sha256 of all of it."""

    text: str
    size: int
    sha256: str | None

    @classmethod
    def of(cls, data: bytes) -> Body:
        return _remembered(data) if len(data) <= _SMALL else _read(data)

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "size": self.size, "sha256": self.sha256, "whole": self.size <= BODY_BYTES}


def _read(data: bytes) -> Body:
    text = mask_text(data[:BODY_BYTES].decode("utf-8", "replace"))
    return Body(text, len(data), hashlib.sha256(data).hexdigest())


_remembered = lru_cache(_REMEMBERED)(_read)

Entry = Mapping[str, Any]

_OF_AN_ENTRY = 2000
"""About how many bytes an entry keeps in memory until it is written, bodies aside."""


@dataclass(frozen=True, slots=True)
class _HandedIn:
    """One exchange on its way to the file."""

    account: str | None
    operation: str | None
    form: Callable[[], Entry]


class Journal:
    """The last requests of every account in one SQLite file (or in memory with `path` None)."""

    def __init__(
        self,
        path: Path | None,
        *,
        keep: int = KEEP,
        most_bytes: int = MAX_JOURNAL_BYTES,
        is_shared: bool = False,
    ) -> None:
        """One that `is_shared` has other processes that read it: each entry is written before its answer is sent."""
        self._keep = keep
        self._is_shared = is_shared
        self._most = most_bytes
        self._connection = _open(path)
        self._batches: Batches[_HandedIn] = Batches(
            "conductor-mock journal", self._write, **({"most": 0} if is_shared else {})
        )
        self._bytes = self._count()
        self._last = self._newest()
        if path is not None and path.stat().st_size > 2 * (most_bytes + self._bytes):
            self._connection.execute("VACUUM")  # it was allowed more before

    def _newest(self) -> int:
        """The highest id that was ever given, be its entry kept or not."""
        told = self._connection.execute(
            "SELECT max(seq) FROM sqlite_sequence WHERE name = 'requests'"
        ).fetchone()[0]
        there = self._connection.execute("SELECT max(id) FROM requests").fetchone()[0]
        return max(told or 0, there or 0)

    def _count(self) -> int:
        return int(self._connection.execute("SELECT total(length(entry)) FROM requests").fetchone()[0])

    @property
    def added(self) -> int:
        """A number that changes when an exchange was added, at whichever server; of a lone one it takes no lock."""
        if not self._is_shared:
            return self._batches.handed_in
        with self._batches.settled():
            return self._newest()

    def add(
        self,
        *,
        account: str | None,
        operation: str | None,
        entry: Entry | Callable[[], Entry],
        size: int = 0,
    ) -> None:
        """Keep one exchange, soon. `entry` is JSON with at least `method` and `path`, secrets already masked, or what
        forms that when it is written; `size` are the bytes of bodies that it keeps in memory until then.

        One that cannot be written is told in the log.
        """
        form = entry if callable(entry) else lambda: entry
        self._batches.hand_in(_HandedIn(account, operation, form), _OF_AN_ENTRY + size)

    def _write(self, handed: list[_HandedIn]) -> None:
        entries = [(one, one.form()) for one in handed]
        try:
            with self._transaction():
                self._insert(entries)
        except sqlite3.Error as error:  # what was done stays done and was answered so
            # In a line, not in a traceback: on a full disk each batch would write one.
            last = entries[-1][1]
            log.warning(
                "the journal took no entry for %s %s and %d before it: %s",
                last["method"],
                last["path"],
                len(entries) - 1,
                error,
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self._last, self._bytes
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._last, self._bytes = before
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _insert(self, entries: Sequence[tuple[_HandedIn, Entry]]) -> None:
        newest = self._newest()
        if newest > self._last:  # another process writes to the file, too
            sizes = "SELECT total(length(entry)) FROM requests WHERE id > ?"
            self._bytes += int(self._connection.execute(sizes, (self._last,)).fetchone()[0])
        first, rows = newest + 1, []
        for number, (one, entry) in enumerate(entries, first):
            text = json.dumps(entry)
            row = (number, one.account, one.operation, entry["method"], entry["path"], text)
            rows.append((*row, _sum(*row)))
            self._bytes += len(text)
        self._connection.executemany(
            f"INSERT INTO requests ({ROW}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - fixed names
            rows,
        )
        self._last = newest + len(rows)
        if self._last // _LOOK_EVERY != newest // _LOOK_EVERY:
            self._forget_up_to(self._last - self._keep)
        if self._bytes > self._most:
            self._make_room()

    def _make_room(self) -> None:
        """Forget the oldest entries, so that what is left is less than is allowed."""
        self._bytes = self._count()  # another process may have made room
        wanted = self._bytes - self._most + self._most // _SPARE
        last = 0
        for number, size in self._connection.execute("SELECT id, length(entry) FROM requests ORDER BY id"):
            if wanted <= 0:
                break
            last, wanted = number, wanted - size
        self._forget_up_to(last)

    def _forget_up_to(self, last: int) -> None:
        gone = self._connection.execute(
            "SELECT ifnull(account, ?), count(*), total(length(entry)) FROM requests WHERE id <= ? GROUP BY account",
            (_NOBODY, last),
        ).fetchall()
        self._connection.executemany(
            "INSERT INTO forgotten (account, number) VALUES (?, ?)"
            " ON CONFLICT (account) DO UPDATE SET number = number + excluded.number",
            [(account, number) for account, number, _ in gone],
        )
        self._bytes -= int(sum(size for _, _, size in gone))
        self._connection.execute("DELETE FROM requests WHERE id <= ?", (last,))

    def forgotten(self, account: str | None = None) -> int:
        """How many exchanges of one account, or of all, had to make room for later ones since it was cleared."""
        with self._batches.settled():
            row = self._connection.execute(
                "SELECT total(number) FROM forgotten WHERE account = ? OR ? IS NULL", (account, account)
            ).fetchone()
        return int(row[0])

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
        Those that were damaged on the disk are left out.
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
        sql = f"SELECT {ROW} FROM requests WHERE " + " AND ".join(["1 = 1", *where])  # noqa: S608 - fixed names
        with self._batches.settled():
            rows = self._connection.execute(sql + " ORDER BY id DESC LIMIT ?", (*values, limit)).fetchall()
        return [{"id": row[0], **json.loads(row[5])} for row in reversed(rows) if is_whole(row)]

    def one(self, number: int, *, account: str) -> dict[str, Any] | None:
        """The exchange of this id, if it is kept and of this account, or of nobody."""
        with self._batches.settled():
            row = self._connection.execute(
                f"SELECT {ROW} FROM requests WHERE id = ? AND (account = ? OR account IS NULL)",  # noqa: S608 - fixed names
                (number, account),
            ).fetchone()
        return {"id": number, **json.loads(row[5])} if row is not None and is_whole(row) else None

    def clear(self, account: str | None = None) -> None:
        """Forget one account's exchanges, or all of them."""
        with self._batches.settled():
            self._connection.execute(
                "DELETE FROM requests WHERE account = ? OR ? IS NULL", (account, account)
            )
            self._connection.execute(
                "DELETE FROM forgotten WHERE account = ? OR ? IS NULL", (account, account)
            )
            self._bytes = self._count()

    def close(self) -> None:
        """Write what was handed in, and give the file back."""
        self._batches.close()
        with self._batches.settled():
            self._connection.close()


def is_whole(row: Sequence[Any]) -> bool:
    """Whether a row (`ROW`) is what was written; one of before there were checksums is taken as it is."""
    return row[-1] is None or row[-1] == _sum(*row[:-1])


def _sum(*values: object) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "backslashreplace"))


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
        connection.execute("PRAGMA synchronous=OFF")  # before the other, which writes
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_SCHEMA)
        if "sum" not in {row[1] for row in connection.execute("PRAGMA table_info(requests)")}:
            connection.execute("ALTER TABLE requests ADD COLUMN sum INTEGER")
    except BaseException:
        connection.close()
        raise
    return connection


def _where(**filters: str | None) -> tuple[list[str], list[Any]]:
    chosen = {name: value for name, value in filters.items() if value is not None}
    return [f"{name} = ?" for name in chosen], list(chosen.values())
