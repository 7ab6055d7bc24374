"""Small contents as a store has them that keeps others elsewhere, in files or in a bucket."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO

import sqlalchemy as sa

from conductor_mock.store.content_store import NewContent, StoredContent
from conductor_mock.store.database import Database
from conductor_mock.store.objects import DamagedContentError, check_count, check_declared
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock
from conductor_mock.store.small_contents import SMALL_BYTES, Small, SmallContents
from conductor_mock.wire.md5 import to_base64


@dataclass(frozen=True, slots=True)
class NewSmallContent(NewContent):
    """A content in memory, which comes in with the transaction that notes who wants it."""

    _data: bytes
    _of: SmallStore

    @contextmanager
    def placed(self) -> Iterator[None]:
        with self._of.lock.shared():
            yield

    def join(self, connection: sa.Connection) -> None:
        self._of.table.join(connection, self.md5, self._data)


@dataclass(frozen=True, slots=True)
class StoredSmallContent(StoredContent):
    """One that was read from the table."""

    _small: Small
    _of: SmallStore

    def open(self) -> IO[bytes]:
        if not self._small.is_whole:
            self._of.set_aside(self._small)
            raise DamagedContentError(self._small.md5)
        return io.BytesIO(self._small.data)

    def open_part(self, first: int, count: int) -> IO[bytes]:
        content = self.open()
        content.seek(first)
        return content


class SmallStore:
    """Contents of up to 64 KiB, in the table of a database, behind the lock of the store that has the others."""

    def __init__(
        self,
        database: Database,
        lock: ReadWriteLock | OutsideReadWriteLock,
        set_aside: Callable[[Small], None],
    ) -> None:
        """`set_aside` is done to one that was read and is not what was stored."""
        self.lock = lock
        self.set_aside = set_aside
        self.table = SmallContents(database)
        self._database = database

    def find(self, md5: bytes) -> StoredSmallContent | None:
        """A content, if the table has it."""
        small = self.table.get(md5)
        return None if small is None else StoredSmallContent(len(small.data), small.stored_s, small, self)

    def get(self, md5: bytes) -> StoredSmallContent:
        """A content of the table. Raises FileNotFoundError."""
        found = self.find(md5)
        if found is None:
            raise FileNotFoundError(f"there is no content {to_base64(md5)}")
        return found

    @contextmanager
    def write(
        self,
        blocks: Iterable[bytes],
        others: Callable[..., AbstractContextManager[NewContent]],
        *,
        md5: bytes | None,
        size: int | None,
        most: int | None,
    ) -> Iterator[NewContent]:
        """`ContentStore.write`, where `others` is that of the store which has what is not small."""
        taken = self._taken(blocks, md5=md5, size=size, most=most)
        if isinstance(taken, NewSmallContent):
            yield taken
            return
        with others(taken, md5=md5, size=size, most=most) as new:
            yield new

    def put(self, received: AbstractContextManager[NewContent]) -> None:
        """`ContentStore.put` of what the store of both has received, small or not."""
        with received as content, content.placed():
            if isinstance(content, NewSmallContent):
                with self._database.write() as connection:
                    content.join(connection)

    def _taken(
        self, blocks: Iterable[bytes], *, md5: bytes | None, size: int | None, most: int | None
    ) -> NewSmallContent | Iterable[bytes]:
        """A content made of blocks if it is small; else the blocks, all of them, for the store of the others.

        `md5`, `size` and `most` are as in `ContentStore.receive`. Raises WrongContentError.
        """
        if size is not None and size > SMALL_BYTES:
            return blocks
        rest = iter(blocks)
        first: list[bytes] = []
        count = 0
        for block in rest:
            first.append(block)
            count += len(block)
            check_count(count, size, most)
            if count > SMALL_BYTES:
                return itertools.chain(first, rest)
        data = b"".join(first)
        found = hashlib.md5(data, usedforsecurity=False).digest()
        check_declared(found, count, md5, size)
        return NewSmallContent(found, count, data, self)
