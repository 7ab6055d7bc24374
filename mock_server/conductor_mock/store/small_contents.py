"""Small contents, which lie together in a table: a commit brings in many of them, and the rows that keep them with it.

A file of its own costs a content two waits for the disk, for its bytes and for its name, and most files of a scene are
small. What is read is compared with its md5 here, as files are.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.tables import KEEPING, SMALL_CONTENTS
from conductor_mock.wire.md5 import from_base64, to_base64

log = logging.getLogger(__name__)

SMALL_BYTES = 64 * 1024
"""Contents up to this size lie in the table. What the log keeps as a content is larger, and is a file."""

_CHUNK = 500
"""Values in one SQL `IN`; SQLite and PostgreSQL both take more."""

_ONE = sa.select(SMALL_CONTENTS.c.stored_s, SMALL_CONTENTS.c.bytes).where(
    SMALL_CONTENTS.c.md5 == sa.bindparam("md5")
)
_THERE = sa.select(SMALL_CONTENTS.c.md5).where(SMALL_CONTENTS.c.md5.in_(sa.bindparam("md5s", expanding=True)))
_DELETE = SMALL_CONTENTS.delete().where(SMALL_CONTENTS.c.md5.in_(sa.bindparam("md5s", expanding=True)))


@dataclass(frozen=True, slots=True)
class Small:
    """A small content as it lies in the table; whether it is what was stored, `is_whole` says."""

    md5: bytes
    stored_s: int
    data: bytes

    @property
    def is_whole(self) -> bool:
        return hashlib.md5(self.data, usedforsecurity=False).digest() == self.md5


class SmallContents:
    """The table of small contents in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def join(self, connection: sa.Connection, md5: bytes, data: bytes) -> None:
        """Store a content with a transaction. One that is there stays, unless it is not what was stored."""
        row = {"md5": to_base64(md5), "stored_s": int(time.time()), "bytes": data}
        if not self._database.insert_new(connection, NewRows(SMALL_CONTENTS, [row])):
            is_damaged = (SMALL_CONTENTS.c.md5 == row["md5"], SMALL_CONTENTS.c.bytes != data)
            if connection.execute(SMALL_CONTENTS.update().where(*is_damaged).values(row)).rowcount:
                log.error(
                    "the content %s is damaged in the database; it came again, and replaces that", row["md5"]
                )

    def get(self, md5: bytes) -> Small | None:
        """A content, if it is there."""
        with self._database.read() as connection:
            row = connection.execute(_ONE, {"md5": to_base64(md5)}).one_or_none()
        return None if row is None else Small(md5, row.stored_s, bytes(row.bytes))

    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        """Those of some contents that are there."""
        found: set[bytes] = set()
        with self._database.read() as connection:
            for chunk in _chunks([to_base64(md5) for md5 in md5s]):
                found.update(map(from_base64, connection.execute(_THERE, {"md5s": chunk}).scalars()))
        return found

    def all(self) -> Iterator[Small]:
        """Every content, by md5, a few in memory at a time. Raises ValueError for a row that names none."""
        after = ""
        query = sa.select(SMALL_CONTENTS).order_by(SMALL_CONTENTS.c.md5).limit(_CHUNK)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(query.where(SMALL_CONTENTS.c.md5 > after)).all()
            for row in rows:
                yield Small(from_base64(row.md5), row.stored_s, bytes(row.bytes))
            if not rows:
                return
            after = rows[-1].md5

    def unreferenced(self) -> list[tuple[bytes, int]]:
        """The contents that nothing refers to, with their bytes."""
        size = sa.func.length(SMALL_CONTENTS.c.bytes)
        wanted = [
            sa.exists().where(column == SMALL_CONTENTS.c.md5).correlate(SMALL_CONTENTS) for column in KEEPING
        ]
        query = sa.select(SMALL_CONTENTS.c.md5, size).where(sa.not_(sa.or_(*wanted)))
        with self._database.read() as connection:
            return [(from_base64(md5), int(count)) for md5, count in connection.execute(query)]

    def totals(self) -> tuple[int, int]:
        """How many there are, and their bytes."""
        query = sa.select(sa.func.count(), sa.func.sum(sa.func.length(SMALL_CONTENTS.c.bytes)))
        with self._database.read() as connection:
            count, size = connection.execute(query.select_from(SMALL_CONTENTS)).one()
        return int(count), int(size or 0)

    def delete(self, md5s: Collection[bytes]) -> int:
        """Forget some contents; how many of them were there."""
        count = 0
        if md5s:
            with self._database.write() as connection:
                for chunk in _chunks([to_base64(md5) for md5 in md5s]):
                    count += connection.execute(_DELETE, {"md5s": chunk}).rowcount
        return count

    def delete_this(self, small: Small) -> bool:
        """Forget a content that was read, unless another one has taken its place since; whether it was there."""
        mine = (SMALL_CONTENTS.c.md5 == to_base64(small.md5), SMALL_CONTENTS.c.bytes == small.data)
        with self._database.write() as connection:
            return bool(connection.execute(SMALL_CONTENTS.delete().where(*mine)).rowcount)


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
