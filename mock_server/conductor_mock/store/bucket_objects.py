"""File contents by their md5 in a bucket, for servers that share no disk: the surface of `content_store.py`.

    objects/ab/abcdef...   contents, named as in a data directory
    damaged/abcdef...      what was read and was something else
    belongs                the name by which its database knows the prefix (`bucket_belonging.py`)
    parts/...              parts of clients' uploads that are not whole yet (`bucket_parts.py`)

A body is read into a file of this machine and held to its md5 before the store sees any of it; the store is told the
md5 of what it is sent, and its answer is compared once more (`bucket_sending.py`). Small contents are sent at once,
large ones in parts before the lock is taken: joining them, one call, gives them their name.
"""

from __future__ import annotations

import hashlib
import io
import logging
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from conductor_mock.store import bucket_sending
from conductor_mock.store.bucket import Bucket, BucketError, EmptiedBucketError, Found
from conductor_mock.store.bucket_sending import InParts, is_damaged, is_whole
from conductor_mock.store.content_store import (
    BLOCK,
    ContentStore,
    NewContent,
    Readable,
    StoredContent,
    blocks_of,
)
from conductor_mock.store.durable import private_folder
from conductor_mock.store.fetched import Fetched
from conductor_mock.store.few_at_once import Waiting
from conductor_mock.store.objects import (
    DamagedContentError,
    taken,
)
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock, Shared
from conductor_mock.wire.md5 import to_base64

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Calls that go on beside each other where many contents are meant."""
FEW = 4
"""So many contents are asked about one by one; more than that, and what was set aside is listed."""
GRACE_S = 3600.0
"""A younger content may have its row on the way, from any server: it is not taken for one that nothing refers to."""
ABANDONED_S = 24 * 3600.0
"""A content in parts that was begun so long ago belongs to a server that was killed."""
COPY_BYTES = 5 << 30
"""S3 copies no more at once."""

MARK = "belongs"
"""What says below the prefix whose it is."""

_LONGEST_MARK = 64
_MD5 = 16
_OBJECTS = "objects/"
_DAMAGED = "damaged/"


@dataclass(frozen=True, slots=True)
class NewBucketContent(NewContent):
    """One whose bytes are in a file of this machine; the bucket has acknowledged it before a block of `placed`."""

    _file: IO[bytes]
    _store: BucketObjects

    @contextmanager
    def placed(self) -> Iterator[None]:
        with self._store.placed_together([self]):
            yield

    def send(self) -> None:
        """Give it its name, at once."""
        bucket_sending.send_file(self._store.bucket, name_of(self.md5), self._file, self.size, md5=self.md5)

    def send_to(self, body: InParts) -> None:
        """Send all of it, to be joined."""
        self._file.seek(0)
        body.take(self._file)


@dataclass(frozen=True, slots=True)
class PassedOnContent(NewContent):
    """One whose bytes are in the bucket in parts already, and have no name there."""

    _body: InParts
    _store: BucketObjects

    @contextmanager
    def placed(self) -> Iterator[None]:
        with self._store.lock.shared():
            self._body.join(self.md5)
            yield


@dataclass(frozen=True, slots=True)
class StoredBucketContent(StoredContent):
    """One whose head was asked for."""

    _md5: bytes
    _store: BucketObjects

    def open(self) -> IO[bytes]:
        return self._store.open(self._md5)

    def open_part(self, first: int, count: int) -> IO[bytes]:
        return self._store.open_part(self._md5, first, count)


class BucketObjects(ContentStore):
    """Contents in `objects/ab/abcdef...` of a bucket's prefix; what passes through is below `root`, here."""

    def __init__(
        self, root: Path, bucket: Bucket, *, most_fetched: int, shared: Shared | None = None
    ) -> None:
        """`most_fetched` bytes are kept of contents that tasks of this server needed; `shared` is for a bucket, and a
        folder `root`, that other servers use too.
        """
        self.root = root
        self.bucket = bucket
        self.lock = ReadWriteLock() if shared is None else OutsideReadWriteLock(shared.locks)
        self._incoming = root / "incoming"
        self.belongs_to: str | None = None
        """What the mark is to say, once that is known."""
        self._fetched = Fetched(root, most_fetched, shared=shared)
        private_folder(self._incoming)
        if shared is None or shared.is_first:
            for leftover in self._incoming.iterdir():  # a crash left these; nobody else has the directory yet
                leftover.unlink()

    # Reading

    def has(self, md5: bytes) -> bool:
        """Whether the content is there. Raises BucketError."""
        try:
            with self._told_if_emptied():
                self.bucket.head(name_of(md5))
        except FileNotFoundError:
            return False
        return True

    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        """Those of some contents that are there, each asked for. Raises BucketError."""
        asked = list(set(md5s))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as threads:
            return {md5 for md5, there in zip(asked, threads.map(self.has, asked), strict=True) if there}

    def still_there(
        self, md5s: Collection[bytes], before_waiting: Callable[[], object] = lambda: None
    ) -> set[bytes]:
        """See `ContentStore`. Raises BucketError.

        A job asks about a hundred thousand: a few are looked at, of more the rows are believed but for what is damaged.
        """
        asked = set(md5s)
        if asked:
            before_waiting()
        doubtful = asked
        if len(asked) > FEW:
            self.check_mark()
            aside = (_digest_of(found.name[len(_DAMAGED) :]) for found in self.bucket.listed(_DAMAGED))
            doubtful = asked.intersection(md5 for md5 in aside if md5 is not None)
        return asked - {md5 for md5 in doubtful if not self.has(md5)}

    def look_up(self, md5: bytes) -> StoredContent:
        """The bytes of a content, and when it came. Raises FileNotFoundError, BucketError."""
        with self._told_if_emptied():
            found = self.bucket.head(name_of(md5))
        return StoredBucketContent(found.size, int(found.modified_s), md5, self)

    def open(self, md5: bytes) -> IO[bytes]:
        """A content to be read from its beginning to its end. Raises FileNotFoundError, BucketError.

        Whoever comes to the end of one that is not what was stored gets a DamagedContentError instead of the end.
        """
        with self._told_if_emptied():
            there = self.bucket.get(name_of(md5))
        body = _Body(self.bucket, there, lambda digest: self._compare(md5, digest))
        return io.BufferedReader(body, BLOCK)

    def open_part(self, md5: bytes, first: int, count: int) -> IO[bytes]:
        """`count` bytes of a content from its `first` on; no others are fetched, so they are not held to the md5."""
        with self._told_if_emptied():
            there = self.bucket.get(name_of(md5), first, count)
        body = _Body(self.bucket, there, lambda _: None)
        return io.BufferedReader(body, BLOCK)

    def open_checked(self, md5: bytes) -> IO[bytes]:
        """A file of this machine with a content, fetched unless it was before. Raises as `open` does."""

        def blocks() -> Iterator[bytes]:
            with self.open(md5) as body:
                yield from blocks_of(body)

        return self._fetched.open(md5, blocks, self.look_up(md5).size)

    def is_whole(self, md5: bytes) -> bool:
        """Whether a content is there and is what it is named; one that is not stays where it is. Raises BucketError."""
        return is_whole(self.bucket, name_of(md5), md5)

    def listed(self) -> Iterator[tuple[bytes, Found]]:
        """Every content by its md5, some while others come and go. What is named otherwise is none of ours."""
        for found in self.bucket.listed(_OBJECTS):
            md5 = _digest_of(found.name.rpartition("/")[2])
            if md5 is not None and found.name == name_of(md5):
                yield md5, found

    def check(self) -> None:
        """Raise BucketError when nothing can be stored or read now, or the bucket is not the one it was."""
        self.bucket.check()
        self.check_mark()

    def wait_by(self, waiting: Waiting) -> None:
        """See `ContentStore`."""
        self.bucket.wait_by(waiting)

    def mark(self) -> str | None:
        """The name of the database that has the prefix, as the bucket says it. Raises BucketError."""
        try:
            body = self.bucket.get(MARK)
        except FileNotFoundError:
            return None
        with body:
            return self.bucket.read(body, _LONGEST_MARK).decode("ascii", "replace")

    def check_mark(self) -> None:
        """Raise BucketError when the bucket has lost its mark since the start: what it had went with that."""
        if self.belongs_to is not None and self.mark() != self.belongs_to:
            raise EmptiedBucketError(
                f"its bucket has no file '{MARK}' of its database any more: it was emptied or is another one, so "
                "restore it"
            )

    # Writing

    @contextmanager
    def write(
        self,
        blocks: Iterable[bytes],
        *,
        md5: bytes | None = None,
        size: int | None = None,
        most: int | None = None,
    ) -> Iterator[NewContent]:
        """A content made of blocks, in constant memory; it is stored if the block of the statement places it, else
        nothing stays behind. `md5`, `size` and `most` are as in `receive`. Raises OSError when the disk refuses.
        """
        with self.scratch() as file:
            digest, count = taken(blocks, file.write, md5=md5, size=size, most=most)
            file.flush()
            yield NewBucketContent(digest, count, file, self)

    @contextmanager
    def pass_on(self, stream: Readable, *, md5: bytes, size: int) -> Iterator[NewContent]:
        """See `ContentStore`: a large one goes from the store to the store, a part of it in memory at a time."""
        if size <= bucket_sending.PART:
            with self.receive(stream, md5=md5, size=size) as new:
                yield new
            return
        with InParts(self.bucket, name_of(md5), size) as body:
            taken(blocks_of(stream), body.write, md5=md5, size=size, most=None)
            body.end()
            yield PassedOnContent(md5, size, body, self)

    @contextmanager
    def placed_together(self, contents: Sequence[NewContent]) -> Iterator[None]:
        """`placed` of several contents, some of which are sent beside each other. Raises BucketError."""
        with ExitStack() as sent:
            new = [content for content in contents if isinstance(content, NewBucketContent)]
            small = [content for content in new if content.size <= bucket_sending.PART]
            large = [
                (sent.enter_context(self._in_parts(one)), one.md5)
                for one in new
                if one.size > bucket_sending.PART
            ]
            with self.lock.shared():
                for body, md5 in large:
                    body.join(md5)
                _each(NewBucketContent.send, small)
                yield

    def scratch(self) -> IO[bytes]:
        """A nameless file of this machine; gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._incoming, buffering=BLOCK)

    @contextmanager
    def _in_parts(self, content: NewBucketContent) -> Iterator[InParts]:
        """A content that was sent in parts, to be joined."""
        with InParts(self.bucket, name_of(content.md5), content.size) as body:
            content.send_to(body)
            yield body

    # Taking away

    def delete(self, md5: bytes) -> None:
        """Forget a content. The caller holds `lock` alone and knows that nothing refers to it."""
        self.bucket.delete(name_of(md5))

    def delete_all(self, md5s: Collection[bytes]) -> None:
        """`delete` of several contents, some beside each other. Raises BucketError when one could not be."""
        with ThreadPoolExecutor(bucket_sending.DELETING, thread_name_prefix="bucket") as threads:
            for _ in threads.map(self.bucket.delete, map(name_of, md5s)):
                pass

    def set_aside(self, md5: bytes) -> None:
        """Copy a damaged content to where nobody takes it for one, for people to look at, and forget it."""
        aside = damaged_name_of(md5)
        try:
            if self.look_up(md5).size <= COPY_BYTES:
                self.bucket.copy(name_of(md5), aside)
            else:
                self.bucket.put(aside, b"", md5=hashlib.md5(b"", usedforsecurity=False).digest())
        except FileNotFoundError:  # somebody else found it damaged, too
            return
        self.bucket.delete(name_of(md5))
        log.error("the content %s is damaged and is set aside as %s in the bucket", to_base64(md5), aside)

    def forget_abandoned(self) -> int:
        """Give up bodies in parts that a killed server had begun; how many. Raises BucketError."""
        count = 0
        for name, upload, age_s in self.bucket.begun():
            if age_s > ABANDONED_S and name.startswith(_OBJECTS):
                with suppress(FileNotFoundError):
                    self.bucket.forget_parts(name, upload)
                    count += 1
        return count

    def _compare(self, md5: bytes, digest: bytes) -> None:
        if digest == md5:
            return
        if not self._is_damaged(md5):
            raise BucketError("its object store sent other bytes than it holds")
        self.set_aside(md5)
        raise DamagedContentError(md5)

    def _is_damaged(self, md5: bytes) -> bool:
        try:
            return is_damaged(self.bucket, name_of(md5), md5)
        except FileNotFoundError:  # somebody else has set it aside
            return True

    @contextmanager
    def _told_if_emptied(self) -> Iterator[None]:
        """Nothing is missing in a bucket that is not the one it was. Raises BucketError then."""
        try:
            yield
        except FileNotFoundError:
            self.check_mark()
            raise


class _Body(io.RawIOBase):
    """A body as it comes from a bucket; `compare` gets the md5 of all of it at its end."""

    def __init__(self, bucket: Bucket, body: IO[bytes], compare: Callable[[bytes], None]) -> None:
        self._bucket = bucket
        self._body = body
        self._compare = compare
        self._digest = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        data = self._bucket.read(self._body, len(view))
        view[: len(data)] = data
        self._digest.update(data)
        if not data and len(view):
            self._compare(self._digest.digest())
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


def name_of(md5: bytes) -> str:
    """The name of a content below the prefix: of its digest alone."""
    name = md5.hex()
    return f"{_OBJECTS}{name[:2]}/{name}"


def damaged_name_of(md5: bytes) -> str:
    """What a content is called that was found damaged."""
    return f"{_DAMAGED}{md5.hex()}"


def _each(act: Callable[[NewBucketContent], None], contents: Sequence[NewBucketContent]) -> None:
    if len(contents) == 1:
        act(contents[0])
    elif contents:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as threads:
            for _ in threads.map(act, contents):
                pass


def _digest_of(name: str) -> bytes | None:
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return None
    return digest if len(digest) == _MD5 else None
