"""File contents by their md5, in one directory: a name stands for whole, verified, durable bytes or does not exist.

md5 identifies contents because the protocol does (wire reference 4). Names here are made of the digest only,
never of a path that a client sent.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from conductor_mock.md5 import to_base64
from conductor_mock.store.digest import Digest
from conductor_mock.store.durable import TemporaryFile
from conductor_mock.store.read_write_lock import ReadWriteLock

BLOCK = 1 << 18


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class WrongContentError(ValueError):
    """A body that is not what was declared; nothing of it was stored."""


@dataclass(frozen=True, slots=True)
class Received:
    """A content that was read and found right, and is not stored yet.

    `keep(refer)` puts it in place, durable, and calls `refer`, which notes who wants it, before anybody can delete
    it. When `refer` raises, the content stays, since a commit that failed may still have been one.
    """

    size: int
    keep: Callable[[Callable[[], None]], None]


class ObjectStore:
    """Contents under `root/objects/ab/abcdef...`; writing goes through `root/incoming/`, which is emptied at start.

    `lock` is held, shared, from the moment a content gets its name until something refers to it, and alone by
    whoever deletes contents that nothing refers to.
    """

    def __init__(self, root: Path) -> None:
        self.lock = ReadWriteLock()
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._objects.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(exist_ok=True)
        for leftover in self._incoming.iterdir():  # a crash left these; only one process owns the directory
            leftover.unlink()

    def path(self, md5: bytes) -> Path:
        """Where the content with this digest lies, or would."""
        name = md5.hex()
        return self._objects / f"{name[:2]}/{name}"

    def has(self, md5: bytes) -> bool:
        return self.path(md5).exists()

    def size(self, md5: bytes) -> int:
        """Bytes of a stored content. Raises FileNotFoundError."""
        return self.path(md5).stat().st_size

    def open(self, md5: bytes) -> IO[bytes]:
        """A stored content for reading. Raises FileNotFoundError."""
        return self.path(md5).open("rb")

    def read(self, md5: bytes) -> bytes:
        """A stored content, whole. Raises FileNotFoundError."""
        return self.path(md5).read_bytes()

    @contextmanager
    def receive(self, stream: Readable, *, md5: bytes, size: int | None = None) -> Iterator[Received]:
        """Read `stream` in constant memory, and let the caller keep it if it has this md5 and size.

        Raises WrongContentError for another md5 or size (reading stops at the first byte too many), OSError when the
        disk refuses. In each case, and when the caller does not keep it, nothing stays behind.
        """
        count = 0
        with TemporaryFile(self._incoming) as file, Digest() as digest:
            while block := stream.read(BLOCK):
                count += len(block)
                if size is not None and count > size:
                    raise WrongContentError(f"the body is larger than the declared {size} bytes")
                digest.update(block)
                file.write(block)
            if size is not None and count != size:
                raise WrongContentError(f"the body has {count} bytes, declared were {size}")
            found = digest.digest()
            if found != md5:
                raise WrongContentError(
                    f"the body's md5 is {to_base64(found)}, declared was {to_base64(md5)} ({count} bytes)"
                )
            yield Received(count, lambda refer: self._commit(file, md5, refer))

    def scratch(self) -> IO[bytes]:
        """A nameless file beside the contents, on the same disk; gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._incoming)

    def put(self, stream: Readable, *, md5: bytes, size: int) -> None:
        """Store a content that nothing refers to yet. Raises as `receive` does."""
        with self.receive(stream, md5=md5, size=size) as received:
            received.keep(lambda: None)

    def put_bytes(self, data: bytes, *, refer: Callable[[bytes], None] = lambda _: None) -> bytes:
        """Store `data` and answer its md5, with which `refer` is called once the content is in place."""
        return self.put_blocks([data], refer=refer)

    def put_blocks(
        self, blocks: Iterable[bytes], *, refer: Callable[[bytes], None] = lambda _: None
    ) -> bytes:
        """As `put_bytes`, for a content that is made block by block."""
        digest = hashlib.md5(usedforsecurity=False)
        with TemporaryFile(self._incoming) as file:
            for block in blocks:
                digest.update(block)
                file.write(block)
            md5 = digest.digest()
            self._commit(file, md5, lambda: refer(md5))
        return md5

    def put_stream(self, stream: Readable, *, refer: Callable[[bytes, int], None]) -> tuple[bytes, int]:
        """Store all of `stream`, in constant memory; answers md5 and size, with which `refer` is called in time."""
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        with TemporaryFile(self._incoming) as file:
            while block := stream.read(BLOCK):
                digest.update(block)
                size += len(block)
                file.write(block)
            self._commit(file, digest.digest(), lambda: refer(digest.digest(), size))
        return digest.digest(), size

    def delete(self, md5: bytes) -> None:
        """Forget a content. The caller holds `lock` alone and knows that nothing refers to it."""
        self.path(md5).unlink(missing_ok=True)

    def _commit(self, file: TemporaryFile, md5: bytes, refer: Callable[[], None]) -> None:
        file.sync()
        with self.lock.shared():
            file.place(self.path(md5))
            refer()
