"""The store of a server: small contents in a table of its database, all others in files, behind one interface."""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from conductor_mock.store.aside import keep_aside
from conductor_mock.store.content_store import NewContent, Readable, StoredContent
from conductor_mock.store.database import Database
from conductor_mock.store.durable import NewFile
from conductor_mock.store.objects import (
    DamagedContentError,
    ObjectStore,
    check_count,
    check_declared,
)
from conductor_mock.store.read_write_lock import Shared
from conductor_mock.store.small_contents import SMALL_BYTES, Small, SmallContents
from conductor_mock.wire.md5 import to_base64

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewSmallContent(NewContent):
    """A content in memory, which comes in with the transaction that notes who wants it."""

    _data: bytes
    _of: TableAndFiles

    @contextmanager
    def placed(self) -> Iterator[None]:
        with self._of.lock.shared():
            yield

    def join(self, connection: sa.Connection) -> None:
        self._of.small.join(connection, self.md5, self._data)


@dataclass(frozen=True, slots=True)
class StoredSmallContent(StoredContent):
    """One that was read from the table."""

    _small: Small
    _of: TableAndFiles

    def open(self) -> IO[bytes]:
        return self._of.opened(self._small)

    def open_part(self, first: int, count: int) -> IO[bytes]:
        content = self._of.opened(self._small)
        content.seek(first)
        return content


class TableAndFiles(ObjectStore):
    """An ObjectStore whose contents of up to 64 KiB lie in the database. Files of that size, as earlier versions have
    made, are read as well, before the table is.
    """

    def __init__(
        self, root: Path, database: Database, *, durable: bool = True, shared: Shared | None = None
    ) -> None:
        super().__init__(root, durable=durable, shared=shared)
        self.small = SmallContents(database)
        self._database = database

    def has(self, md5: bytes) -> bool:
        return super().has(md5) or self.small.get(md5) is not None

    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        found = self.small.those_there(md5s)
        return found | super().those_there(set(md5s) - found)

    def look_up(self, md5: bytes) -> StoredContent:
        try:
            return super().look_up(md5)
        except FileNotFoundError:
            small = self._get(md5)
            return StoredSmallContent(len(small.data), small.stored_s, small, self)

    def open(self, md5: bytes) -> IO[bytes]:
        try:
            return super().open(md5)
        except FileNotFoundError:
            return self.opened(self._get(md5))

    def checked(self, md5: bytes) -> Path:
        try:
            return super().checked(md5)
        except DamagedContentError:
            raise
        except FileNotFoundError:
            self._make_file(md5)
            return super().checked(md5)

    def open_checked(self, md5: bytes) -> IO[bytes]:
        try:
            return super().checked(md5).open("rb")
        except DamagedContentError:
            raise
        except FileNotFoundError:
            return self.opened(self._get(md5))

    def set_aside(self, md5: bytes) -> None:
        super().set_aside(md5)
        small = self.small.get(md5)
        if small is not None and not small.is_whole:
            keep_aside(small.data, self._damaged / md5.hex())
            self.small.delete([md5])
            log.error("the content %s is damaged and is set aside as damaged/%s", to_base64(md5), md5.hex())

    @contextmanager
    def write(
        self,
        blocks: Iterable[bytes],
        *,
        md5: bytes | None = None,
        size: int | None = None,
        most: int | None = None,
    ) -> Iterator[NewContent]:
        rest = iter(blocks)
        first: list[bytes] = []
        count = 0
        if size is None or size <= SMALL_BYTES:
            for block in rest:
                first.append(block)
                count += len(block)
                check_count(count, size, most)
                if count > SMALL_BYTES:
                    break
        if count > SMALL_BYTES or (size is not None and size > SMALL_BYTES):
            with super().write(itertools.chain(first, rest), md5=md5, size=size, most=most) as new:
                yield new
            return
        data = b"".join(first)
        found = hashlib.md5(data, usedforsecurity=False).digest()
        check_declared(found, count, md5, size)
        yield NewSmallContent(found, count, data, self)

    def put(self, stream: Readable, *, md5: bytes, size: int) -> None:
        with self.receive(stream, md5=md5, size=size) as content, content.placed():
            if isinstance(content, NewSmallContent):
                with self._database.write() as connection:
                    content.join(connection)

    def delete(self, md5: bytes) -> None:
        self.delete_all([md5])

    def delete_all(self, md5s: Collection[bytes]) -> None:
        for md5 in md5s:
            super().delete(md5)
        self.small.delete(md5s)

    def opened(self, small: Small) -> IO[bytes]:
        """A content of the table, to be read. Raises DamagedContentError for one that is not what was stored."""
        if not small.is_whole:
            self.set_aside(small.md5)
            raise DamagedContentError(small.md5)
        return io.BytesIO(small.data)

    def _get(self, md5: bytes) -> Small:
        small = self.small.get(md5)
        if small is None:
            raise FileNotFoundError(f"there is no content {to_base64(md5)}")
        return small

    def _make_file(self, md5: bytes) -> None:
        """Give a content of the table a file too, for whoever needs a path of it."""
        with self.open(md5) as content, NewFile(self._incoming, durable=self._durable) as file:
            file.write(content.read())
            file.sync()
            with self.lock.shared():
                if self.has(md5):  # nobody has deleted it meanwhile
                    file.place(self.path(md5), self.folders)
