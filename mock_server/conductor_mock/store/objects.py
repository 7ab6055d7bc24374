"""File contents by their md5, in one directory: a name stands for whole, verified, durable bytes or does not exist.

md5 identifies contents because the protocol does (wire reference 4). Names here are made of the digest only,
never of a path that a client sent.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from conductor_mock.store.aside import DAMAGED
from conductor_mock.store.content_store import (
    BLOCK,
    ContentStore,
    NewContent,
    StoredContent,
    blocks_of,
)
from conductor_mock.store.digest import Digest
from conductor_mock.store.durable import Folders, NewFile, private_folder
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock, Shared
from conductor_mock.wire.md5 import to_base64

log = logging.getLogger(__name__)

_REMEMBERED = 10_000
"""Contents that `ObjectStore.checked` need not read again."""


def last_held_back(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, each handed out when the next one, or the end, was come to: what ends badly is not whole then.

    The first two are fetched at once: a small content that is damaged is found so before anything of it is sent.
    """
    return _in_order(next(blocks, b""), next(blocks, None), blocks)


def _in_order(waiting: bytes, following: bytes | None, blocks: Iterator[bytes]) -> Iterator[bytes]:
    while following is not None:
        yield waiting
        waiting, following = following, next(blocks, None)
    yield waiting


class WrongContentError(ValueError):
    """A body that is not what was declared; nothing of it was stored."""


class TooLargeError(WrongContentError):
    """A body of more bytes than are taken where none were declared."""


def check_count(count: int, size: int | None, most: int | None) -> None:
    """Refuse a body of so many bytes so far, of `size` declared and `most` taken. Raises WrongContentError."""
    if size is not None and count > size:
        raise WrongContentError(f"the body is larger than the declared {size} bytes")
    if most is not None and count > most:
        raise TooLargeError(f"the body is larger than {most} bytes, which is all that is taken here")


def check_declared(digest: bytes, count: int, md5: bytes | None, size: int | None) -> None:
    """Refuse a whole body that is not what was declared. Raises WrongContentError."""
    if size is not None and count != size:
        raise WrongContentError(f"the body has {count} bytes; {size} were declared")
    if md5 is not None and digest != md5:
        raise WrongContentError(
            f"the md5 of the body is {to_base64(digest)} ({count} bytes); {to_base64(md5)} was declared"
        )


def taken(
    blocks: Iterable[bytes],
    keep: Callable[[bytes], object],
    *,
    md5: bytes | None,
    size: int | None,
    most: int | None,
) -> tuple[bytes, int]:
    """Hand blocks to `keep`, as long as they can be what is declared: the md5 and bytes of them all.

    Raises WrongContentError for another md5 or size, TooLargeError for more than `most` bytes.
    """
    count = 0
    with Digest() as taking:
        for block in blocks:
            count += len(block)
            check_count(count, size, most)
            taking.update(block)
            keep(block)
        digest = taking.digest()
    check_declared(digest, count, md5, size)
    return digest, count


class DamagedContentError(FileNotFoundError):
    """A content that is not what was stored. It was set aside, and is thus not there any more."""

    def __init__(self, md5: bytes) -> None:
        super().__init__(
            f"the content {to_base64(md5)} was damaged on the disk of the server and is set aside"
        )


@dataclass(frozen=True, slots=True)
class NewFileContent(NewContent):
    """One that is a file: in its place, and on disk, before the block of `placed` begins."""

    _file: NewFile
    _store: ObjectStore

    def sync(self) -> None:
        """Return when the bytes are on disk."""
        self._file.sync()

    def name(self) -> None:
        """Give the content its place, which is on disk when the folder was synced. With `lock` of the store, shared."""
        self._file.name(self._store.path(self.md5), self._store.folders)

    @contextmanager
    def placed(self) -> Iterator[None]:
        self._file.sync()
        with self._store.lock.shared():
            self._file.place(self._store.path(self.md5), self._store.folders)
            yield


@dataclass(frozen=True, slots=True)
class StoredFileContent(StoredContent):
    """One that is a file."""

    _md5: bytes
    _store: ObjectStore

    def open(self) -> IO[bytes]:
        return self._store.open(self._md5)

    def open_part(self, first: int, count: int) -> IO[bytes]:
        file = self._store.open_checked(self._md5)
        file.seek(first)
        return file


SYNCING = 32
"""Threads that wait for the disk: it does for several at once what it does for one."""
AT_ONCE = 128
"""Files that are written beside each other before any gets its name."""
FOLDER = "all"
"""The folder of `objects` that new contents get their names in: one for all, so that they share its sync."""


class ObjectStore(ContentStore):
    """Contents under `root/objects/all/abcdef...`; writing goes through `root/incoming/`, which is emptied at start.

    Those of earlier versions stay where they lie, under `root/objects/ab/abcdef...`.
    """

    def __init__(self, root: Path, *, durable: bool = True, shared: Shared | None = None) -> None:
        """One that is not `durable` is thrown away with its server, and waits for no disk. `shared` is for one that
        other servers use too.
        """
        self.root = root
        self.lock = ReadWriteLock() if shared is None else OutsideReadWriteLock(shared.locks)
        self.folders = Folders(durable=durable, is_shared=shared is not None)
        self._durable = durable
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._damaged = root / DAMAGED
        self._guard = threading.Lock()
        self._seen: dict[bytes, tuple[int, int, int]] = {}
        """Contents that `checked` has read, as they were then: inode, size, time of the last write."""
        private_folder(self._objects)
        private_folder(self._incoming)
        if shared is None or shared.is_first:
            for leftover in self._incoming.iterdir():  # a crash left these; nobody else has the directory yet
                leftover.unlink()

    def path(self, md5: bytes) -> Path:
        """Where the content with this digest lies, or would: in one place, never in both."""
        return path_below(self._objects, md5)

    def has(self, md5: bytes) -> bool:
        """Whether the content is there."""
        # A job asks about a hundred thousand; to make a Path of each takes three times as long.
        name = md5.hex()
        places = (
            f"{self._objects}{os.sep}{FOLDER}{os.sep}{name}",
            f"{self._objects}{os.sep}{name[:2]}{os.sep}{name}",
        )
        return any(map(os.path.exists, places))

    def those_there(self, md5s: Collection[bytes]) -> set[bytes]:
        """Those of some contents that are there."""
        return {md5 for md5 in md5s if self.has(md5)}

    def look_up(self, md5: bytes) -> StoredContent:
        """What is known of a content without reading it. Raises FileNotFoundError."""
        there = self.path(md5).stat()
        return StoredFileContent(there.st_size, int(there.st_mtime), md5, self)

    def open(self, md5: bytes) -> IO[bytes]:
        """A stored content to be read from its beginning to its end. Raises FileNotFoundError.

        Whoever comes to the end of one that is not what was stored gets a DamagedContentError instead of the end.
        """
        return io.BufferedReader(_Checked(self, md5, self.path(md5).open("rb", buffering=0)), BLOCK)

    def checked(self, md5: bytes) -> Path:
        """Where a content lies that is what was stored. Raises FileNotFoundError, DamagedContentError.

        It is read for that, unless it was before and nobody has written to it since.
        """
        path = self.path(md5)
        there = path.stat()
        seen = (there.st_ino, there.st_size, there.st_mtime_ns)
        with self._guard:
            if self._seen.get(md5) == seen:
                return path
        with self.open(md5) as file:
            for _ in blocks_of(file):
                pass
        with self._guard:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[md5] = seen
        return path

    def open_checked(self, md5: bytes) -> IO[bytes]:
        """The file of `checked`, open. Raises as that does."""
        return self.checked(md5).open("rb")

    def set_aside(self, md5: bytes) -> None:
        """Move a damaged content to where nobody takes it for one, for people to look at."""
        private_folder(self._damaged)
        try:
            self.path(md5).replace(self._damaged / md5.hex())
        except FileNotFoundError:  # somebody else found it damaged, too
            return
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
        """A content made of blocks, in constant memory; it is stored if the block of the statement places it, else
        nothing stays behind. `md5`, `size` and `most` are as in `receive`. Raises OSError when the disk refuses.
        """
        with NewFile(self._incoming, durable=self._durable) as file:
            digest, count = taken(blocks, file.write, md5=md5, size=size, most=most)
            yield NewFileContent(digest, count, file, self)

    @contextmanager
    def placed_together(self, contents: Sequence[NewContent]) -> Iterator[None]:
        """`NewContent.placed` of several contents: the disk is waited for once for all, as far as it can."""
        files = [content for content in contents if isinstance(content, NewFileContent)]
        with ThreadPoolExecutor(SYNCING, thread_name_prefix="sync") as threads:
            for _ in threads.map(NewFileContent.sync, files):
                pass
            with self.lock.shared():
                for content in files:
                    content.name()
                touched = {self.path(content.md5).parent for content in files}
                for _ in threads.map(self.folders.sync, touched):
                    pass
                yield

    def scratch(self) -> IO[bytes]:
        """A nameless file beside the contents, on the same disk; gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._incoming)

    def delete(self, md5: bytes) -> None:
        """Forget a content. The caller holds `lock` alone and knows that nothing refers to it."""
        self.path(md5).unlink(missing_ok=True)

    def delete_all(self, md5s: Collection[bytes]) -> None:
        """`delete` of several contents."""
        for md5 in md5s:
            self.delete(md5)


def path_below(objects: Path, md5: bytes) -> Path:
    """Where a content lies below a folder `objects`, or would."""
    name = md5.hex()
    old = f"{objects}{os.sep}{name[:2]}{os.sep}{name}"
    return Path(old) if os.path.exists(old) else objects / FOLDER / name  # noqa: PTH110


class _Checked(io.RawIOBase):
    """A content as it is read from its beginning; what it is, is compared at its end."""

    def __init__(self, store: ObjectStore, md5: bytes, file: io.FileIO) -> None:
        self._store = store
        self._expected = md5
        self._file = file
        self._digest = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        count = self._file.readinto(view)
        self._digest.update(view[:count])
        if count == 0 and len(view) and self._digest.digest() != self._expected:
            self._store.set_aside(self._expected)
            raise DamagedContentError(self._expected)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
