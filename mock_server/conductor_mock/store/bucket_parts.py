"""Parts of uploads in a bucket, for servers that share no disk: whichever a part comes to, any of them makes the whole.

    parts/ACCOUNT/UPLOAD/NUMBER-ETAG-RANDOM

A part is there before its row is committed, and is taken away after the row: what has no row is nobody's, or on its
way. Each that arrives has a name of its own, so one that comes late takes nothing away that another one means.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store.bucket import Bucket, BucketError, Found
from conductor_mock.store.bucket_objects import GRACE_S, BucketObjects
from conductor_mock.store.bucket_sending import forget_names, send_file
from conductor_mock.store.content_store import BLOCK, Readable
from conductor_mock.store.database import Database, NewRows, Row
from conductor_mock.store.parts import Multipart, Parts, PartsError, ReceivedPart, part_name, taken_part
from conductor_mock.store.shared_wall import seconds_of
from conductor_mock.store.sweeper import GIVEN_UP_S
from conductor_mock.store.tables import ACCOUNT_CONTENTS, MULTIPARTS, PARTS

_BEGIN = "parts/"
LONGEST_TURN_S = GRACE_S / 2
"""A part that waits longer to be noted may be taken for nobody's."""


@dataclass(frozen=True, slots=True)
class SentPart(ReceivedPart):
    """One that the bucket has acknowledged; what is not kept is taken back by `undo`."""

    name: str
    undo: ExitStack
    sent_s: float


class BucketParts(Parts):
    """`Parts` of any server of one database and one bucket. What an earlier version left in the folder is read, too."""

    def __init__(
        self,
        database: Database,
        root: Path,
        objects: BucketObjects,
        *,
        seconds: Callable[[], float] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(database, root, seconds=seconds or time.time)
        self._rows_s = seconds or partial(seconds_of, database)
        self._objects = objects
        self._bucket = objects.bucket
        self._monotonic_s = monotonic_s

    @contextmanager
    def receive(
        self, account_id: str, upload: Multipart, number: int, stream: Readable
    ) -> Iterator[ReceivedPart]:
        """See `Parts`: it was held to its size here before the bucket sees any of it. Raises BucketError."""
        with ExitStack() as undo:
            with self._objects.scratch() as file:
                etag = taken_part(upload, number, stream, file.write)
                name = f"{_BEGIN}{account_id}/{upload.upload_id}/{part_name(number, etag)}-{secrets.token_hex(8)}"
                sent_s = self._monotonic_s()
                undo.callback(forget_names, self._bucket, [name])
                send_file(self._bucket, name, file, upload.size_of(number), md5=bytes.fromhex(etag))
            yield SentPart(account_id, upload, number, etag, name, undo, sent_s)

    def keep(self, part: ReceivedPart) -> None:
        """See `Parts`."""
        if not isinstance(part, SentPart):
            raise TypeError(part)
        upload_id = part.upload.upload_id
        self.get(part.account_id, upload_id)
        mine = (*_of(part.account_id, upload_id), PARTS.c.number == part.number)
        row = {
            "account": part.account_id,
            "upload_id": upload_id,
            "number": part.number,
            "etag": part.etag,
            "size": part.upload.size_of(part.number),
            "name": part.name,
            "stored_s": int(self._rows_s()),
        }
        if self._monotonic_s() - part.sent_s > LONGEST_TURN_S:
            raise BucketError("the part had to wait for its turn so long that it may be gone again")
        part.undo.pop_all()  # a commit that failed may still have been one
        with self._database.write() as connection:
            before = list(connection.execute(sa.select(PARTS.c.name).where(*mine)).scalars())
            connection.execute(PARTS.delete().where(*mine))
            self._database.insert_new(connection, NewRows(PARTS, [row]))
        forget_names(self._bucket, before)

    def _found(
        self, account_id: str, upload: Multipart, etags: Sequence[tuple[int, str]]
    ) -> list[Callable[[], Iterator[bytes]]]:
        query = sa.select(PARTS.c.number, PARTS.c.etag, PARTS.c.name).where(
            *_of(account_id, upload.upload_id)
        )
        with self._database.read() as connection:
            there = {(row.number, row.etag): row.name for row in connection.execute(query)}
        return [
            partial(_blocks, self._bucket, number, there[number, etag])
            if (number, etag) in there
            else self._in_folder(account_id, upload, number, etag)
            for number, etag in etags
        ]

    def forget(self, account_id: str, upload_id: str) -> None:
        """See `Parts`."""
        super().forget(account_id, upload_id)
        mine = _of(account_id, upload_id)
        with self._database.write() as connection:
            names = list(connection.execute(sa.select(PARTS.c.name).where(*mine)).scalars())
            connection.execute(PARTS.delete().where(*mine))
        forget_names(self._bucket, names)

    def of_no_use(self) -> set[tuple[str, str]]:
        """See `Parts`."""
        return super().of_no_use() | set(rows_of_no_use(self._database, self._rows_s()))

    def is_given_up(self, account_id: str, upload_id: str) -> bool:
        """See `Parts`."""
        last = sa.select(sa.func.max(PARTS.c.stored_s)).where(*_of(account_id, upload_id))
        with self._database.read() as connection:
            stored_s = connection.execute(last).scalar_one()
        if stored_s is None:
            return super().is_given_up(account_id, upload_id)
        return float(stored_s) < self._rows_s() - GIVEN_UP_S

    def forget_orphans(self) -> int:
        """See `Parts`. Raises BucketError."""
        names = [found.name for found in orphans(self._database, self._objects)]
        forget_names(self._bucket, names)
        return len(names)


def rows_of_no_use(database: Database, now_s: float) -> dict[tuple[str, str], tuple[int, int]]:
    """The uploads with parts in the bucket that are whole, were forgotten or were given up: their parts, and bytes."""
    of_upload = (PARTS.c.account, PARTS.c.upload_id)
    begun = (MULTIPARTS.c.account == PARTS.c.account) & (MULTIPARTS.c.upload_id == PARTS.c.upload_id)
    whole = (
        sa.exists()
        .where(ACCOUNT_CONTENTS.c.account == MULTIPARTS.c.account, ACCOUNT_CONTENTS.c.md5 == MULTIPARTS.c.md5)
        .correlate(MULTIPARTS)
    )
    query = (
        sa.select(*of_upload, sa.func.count(), sa.func.sum(PARTS.c.size))
        .select_from(PARTS.outerjoin(MULTIPARTS, begun))
        .group_by(*of_upload, MULTIPARTS.c.account, MULTIPARTS.c.md5)
        .having(
            sa.or_(MULTIPARTS.c.md5.is_(None), sa.func.max(PARTS.c.stored_s) < int(now_s - GIVEN_UP_S), whole)
        )
    )
    with database.read() as connection:
        return {
            (account, upload): (int(count), int(size))
            for account, upload, count, size in connection.execute(query)
        }


def orphans(database: Database, objects: BucketObjects) -> list[Found]:
    """The parts in a bucket that have no row, and have been there for a while. Raises BucketError."""
    there = {found.name: found for found in objects.bucket.listed(_BEGIN) if found.age_s > GRACE_S}
    if there:
        with database.read() as connection:  # read after the listing: what it does not have yet is young
            for name in connection.execute(sa.select(PARTS.c.name)).scalars():
                there.pop(name, None)
    return list(there.values())


def _of(account_id: str, upload_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return PARTS.c.account == account_id, PARTS.c.upload_id == upload_id


def parts_in(database: Database) -> list[Row]:
    """The rows of all parts that lie in a bucket."""
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(PARTS))]


def _blocks(bucket: Bucket, number: int, name: str) -> Iterator[bytes]:
    try:
        body = bucket.get(name)
    except FileNotFoundError:
        raise PartsError(f"part {number} is gone from the object store: send it again") from None
    with body:
        while block := bucket.read(body, BLOCK):
            yield block
