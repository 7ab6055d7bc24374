"""The store of servers with a bucket: small contents in a table of their database, all others in the bucket.

Small ones in the bucket, as servers of before have put them there, are read as well, after the table. What is found
damaged in the table is kept where damaged ones of the bucket are: `still_there` looks for both there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from conductor_mock.store.bucket import Bucket
from conductor_mock.store.bucket_objects import BucketObjects, damaged_name_of
from conductor_mock.store.content_store import NewContent, Readable, StoredContent
from conductor_mock.store.database import Database
from conductor_mock.store.read_write_lock import Shared
from conductor_mock.store.small_contents import Small
from conductor_mock.store.small_store import SmallStore
from conductor_mock.wire.md5 import to_base64

log = logging.getLogger(__name__)


class TableAndBucket(BucketObjects):
    """`BucketObjects` whose contents of up to 64 KiB lie in the database, which all of its servers share."""

    def __init__(
        self,
        root: Path,
        bucket: Bucket,
        database: Database,
        *,
        most_fetched: int,
        shared: Shared | None = None,
    ) -> None:
        super().__init__(root, bucket, most_fetched=most_fetched, shared=shared)
        self._small = SmallStore(database, self.lock, self._set_row_aside)

    def has(self, md5: bytes) -> bool:
        return bool(self._small.table.those_there([md5])) or super().has(md5)

    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        found = self._small.table.those_there(md5s)
        return found | super().those_there(set(md5s) - found)

    def still_there(
        self, md5s: Collection[bytes], before_waiting: Callable[[], object] = lambda: None
    ) -> set[bytes]:
        found = self._small.table.those_there(md5s)
        return found | super().still_there(set(md5s) - found, before_waiting)

    def look_up(self, md5: bytes) -> StoredContent:
        return self._small.find(md5) or super().look_up(md5)

    def open(self, md5: bytes) -> IO[bytes]:
        small = self._small.find(md5)
        return super().open(md5) if small is None else small.open()

    def open_checked(self, md5: bytes) -> IO[bytes]:
        small = self._small.find(md5)
        return super().open_checked(md5) if small is None else small.open()

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
        self._small.table.delete([md5])
        super().delete(md5)

    def delete_all(self, md5s: Collection[bytes]) -> None:
        self._small.table.delete(md5s)
        super().delete_all(md5s)

    def _set_row_aside(self, small: Small) -> None:
        aside = damaged_name_of(small.md5)
        digest = hashlib.md5(small.data, usedforsecurity=False).digest()
        self.bucket.put(aside, small.data, md5=digest)
        if self._small.table.delete_this(small):
            log.error(
                "the content %s is damaged and is set aside as %s in the bucket", to_base64(small.md5), aside
            )
