"""What holds file contents by their md5, as users see it: files and a table (`table_and_files.py`), files alone
(`objects.py`), or a bucket (`bucket_objects.py`).

A content is there whole and verified, or not at all, and is named by its digest alone. Whatever refers to it, a row or
a command, is written after it or with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import sqlalchemy as sa

from conductor_mock.store.few_at_once import Waiting
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes: ...


BLOCK = 1 << 18


def blocks_of(stream: Readable) -> Iterator[bytes]:
    """All of a stream, a block at a time."""
    while block := stream.read(BLOCK):
        yield block


@dataclass(frozen=True, slots=True)
class NewContent(ABC):
    """A content that was read to its end and is not stored yet: its md5 and its bytes."""

    md5: bytes
    size: int

    @abstractmethod
    def placed(self) -> AbstractContextManager[None]:
        """Store the content for a block in which the caller notes who wants it, and in that transaction calls `join`.

        Until the end of the block nobody deletes the content for want of such a note. When the block raises, the
        content may stay, since a commit that failed may still have been one.
        """

    def join(self, connection: sa.Connection) -> None:  # noqa: B027 - most contents have nothing there
        """Store with a transaction what of the content belongs into the database."""


@dataclass(frozen=True, slots=True)
class StoredContent(ABC):
    """A content that is there: its bytes, and the wall time (whole seconds) when it was stored."""

    size: int
    modified_s: int

    @abstractmethod
    def open(self) -> IO[bytes]:
        """To be read from its beginning to its end, as by `ContentStore.open`."""

    @abstractmethod
    def open_part(self, first: int, count: int) -> IO[bytes]:
        """To be read from its `first` byte on, `count` bytes at least. Raises as `ContentStore.open` does.

        It was compared as a whole where that costs no fetching.
        """


class ContentStore(ABC):
    """Contents by their md5. `root` is a folder of this machine.

    `lock` is held, shared, from the moment a content gets its name until something refers to it, and alone by
    whoever deletes contents that nothing refers to; servers that share a store share its lock. Everything may raise
    OSError when the disk, or what is in its place, refuses; nothing is half there then.
    """

    root: Path
    lock: ReadWriteLock | OutsideReadWriteLock

    @abstractmethod
    def has(self, md5: bytes) -> bool:
        """Whether the content is there now."""

    @abstractmethod
    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        """Those of some contents that are there now."""

    def still_there(
        self, md5s: Collection[bytes], before_waiting: Callable[[], object] = lambda: None
    ) -> set[bytes]:
        """Those of some contents that rows refer to, which were thus there, that nobody has set aside since.

        `before_waiting` is called before another machine is asked, which may take as long as it likes.
        """
        return self.those_there(md5s)

    @abstractmethod
    def look_up(self, md5: bytes) -> StoredContent:
        """What is known of a content without reading all of it. Raises FileNotFoundError."""

    @abstractmethod
    def open(self, md5: bytes) -> IO[bytes]:
        """A content to be read from its beginning to its end. Raises FileNotFoundError.

        Whoever comes to the end of one that is not what was stored gets a DamagedContentError instead of the end.
        """

    @abstractmethod
    def open_checked(self, md5: bytes) -> IO[bytes]:
        """A file of this machine, or memory, with a content that was compared with its md5. Raises as `open` does."""

    def read(self, md5: bytes) -> bytes:
        """A content, whole. Raises FileNotFoundError, DamagedContentError."""
        with self.open(md5) as file:
            return file.read()

    def receive(
        self, stream: Readable, *, md5: bytes, size: int | None = None, most: int | None = None
    ) -> AbstractContextManager[NewContent]:
        """`write` of a stream, if it is a content of this md5 and size, of at most so many bytes.

        Raises WrongContentError for another md5 or size (reading stops at the first byte too many), TooLargeError for
        more than `most` bytes; nothing stays then.
        """
        return self.write(blocks_of(stream), md5=md5, size=size, most=most)

    def pass_on(self, stream: Readable, *, md5: bytes, size: int) -> AbstractContextManager[NewContent]:
        """`receive` of what this server has received before, such as parts: it need not be gathered here again."""
        return self.receive(stream, md5=md5, size=size)

    @abstractmethod
    def write(
        self,
        blocks: Iterable[bytes],
        *,
        md5: bytes | None = None,
        size: int | None = None,
        most: int | None = None,
    ) -> AbstractContextManager[NewContent]:
        """A content made of blocks, in constant memory; it is stored if the block of the statement places it, else
        nothing stays behind. `md5`, `size` and `most` are as in `receive`.
        """

    @abstractmethod
    def placed_together(self, contents: Sequence[NewContent]) -> AbstractContextManager[None]:
        """`NewContent.placed` of several contents of this store: what is waited for is waited for together."""

    @abstractmethod
    def scratch(self) -> IO[bytes]:
        """A nameless file of this machine, gone when it is closed."""

    def put(self, stream: Readable, *, md5: bytes, size: int) -> None:
        """Store a content that nothing refers to yet. Raises as `receive` does."""
        with self.receive(stream, md5=md5, size=size) as content, content.placed():
            return

    @abstractmethod
    def delete(self, md5: bytes) -> None:
        """Forget a content. The caller holds `lock` alone and knows that nothing refers to it."""

    @abstractmethod
    def delete_all(self, md5s: Collection[bytes]) -> None:
        """`delete` of several contents."""

    @abstractmethod
    def set_aside(self, md5: bytes) -> None:
        """Move a damaged content to where nobody takes it for one, for people to look at."""

    def wait_by(self, waiting: Waiting) -> None:  # noqa: B027 - a disk makes nobody wait for others
        """What a thread does while it waits for others to be answered by the store."""

    def check(self) -> None:  # noqa: B027 - a disk that refuses says so when it is written to
        """Raise OSError when nothing can be stored or read now."""
