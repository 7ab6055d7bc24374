"""The store of a server: small contents in a table of its database, all others in files, behind one interface."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from conductor_mock.store.aside import keep_aside
from conductor_mock.store.content_store import NewContent, Readable, StoredContent
from conductor_mock.store.database import Database
from conductor_mock.store.durable import NewFile
from conductor_mock.store.objects import DamagedContentError, ObjectStore
from conductor_mock.store.read_write_lock import Shared
from conductor_mock.store.small_contents import Small
from conductor_mock.store.small_store import SmallStore
from conductor_mock.wire.md5 import to_base64

log = logging.getLogger(__name__)


class TableAndFiles(ObjectStore):
    """An ObjectStore whose contents of up to 64 KiB lie in the database. Files of that size, as earlier versions have
    made, are read as well, before the table is.
    """

    def __init__(
        self, root: Path, database: Database, *, durable: bool = True, shared: Shared | None = None
    ) -> None:
        super().__init__(root, durable=durable, shared=shared)
        self._small = SmallStore(database, self.lock, self._set_row_aside)

    def has(self, md5: bytes) -> bool:
        return super().has(md5) or bool(self._small.table.those_there([md5]))

    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        found = self._small.table.those_there(md5s)
        return found | super().those_there(set(md5s) - found)

    def look_up(self, md5: bytes) -> StoredContent:
        try:
            return super().look_up(md5)
        except FileNotFoundError:
            return self._small.get(md5)

    def open(self, md5: bytes) -> IO[bytes]:
        try:
            return super().open(md5)
        except FileNotFoundError:
            return self._small.get(md5).open()

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
            return self._small.get(md5).open()

    def _set_row_aside(self, small: Small) -> None:
        name = small.md5.hex()
        keep_aside(small.data, self._damaged / name)
        if self._small.table.delete_this(small):
            log.error("the content %s is damaged and is set aside as damaged/%s", to_base64(small.md5), name)

    @contextmanager
    def write(
        self,
        blocks: Iterable[bytes],
        *,
        md5: bytes | None = None,
        size: int | None = None,
        most: int | None = None,
    ) -> Iterator[NewContent]:
        with self._small.write(blocks, super().write, md5=md5, size=size, most=most) as new:
            yield new

    def put(self, stream: Readable, *, md5: bytes, size: int) -> None:
        self._small.put(self.receive(stream, md5=md5, size=size))

    def delete(self, md5: bytes) -> None:
        self.delete_all([md5])

    def delete_all(self, md5s: Collection[bytes]) -> None:
        for md5 in md5s:
            super().delete(md5)
        self._small.table.delete(md5s)

    def _make_file(self, md5: bytes) -> None:
        """Give a content of the table a file too, for whoever needs a path of it."""
        with self.open(md5) as content, NewFile(self._incoming, durable=self._durable) as file:
            file.write(content.read())
            file.sync()
            with self.lock.shared():
                if self.has(md5):  # nobody has deleted it meanwhile
                    file.place(self.path(md5), self.folders)
