"""File contents by their md5, in one directory: a name stands for whole, verified, durable bytes or does not exist.

md5 identifies contents because the protocol does (wire reference 4). Names here are made of the digest only,
never of a path that a client sent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from conductor_mock.store.digest import Digest
from conductor_mock.store.durable import Folders, NewFile, private_folder
from conductor_mock.store.read_write_lock import ReadWriteLock
from conductor_mock.wire.md5 import to_base64

BLOCK = 1 << 18


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes: ...


def blocks_of(stream: Readable) -> Iterator[bytes]:
    """All of a stream, a block at a time."""
    while block := stream.read(BLOCK):
        yield block


class WrongContentError(ValueError):
    """A body that is not what was declared; nothing of it was stored."""


class TooLargeError(WrongContentError):
    """A body of more bytes than are taken where none were declared."""


@dataclass(frozen=True, slots=True)
class NewContent:
    """A content that was read to its end and is not stored yet: its md5 and its bytes."""

    md5: bytes
    size: int
    _file: NewFile
    _store: ObjectStore

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Store the content: it is in its place, durable, before the block begins.

        In the block the caller notes who wants it; until its end nobody deletes the content for want of such a note.
        When the block raises, the content stays, since a commit that failed may still have been one.
        """
        self._file.sync()
        with self._store.lock.shared():
            self._file.place(self._store.path(self.md5), self._store.folders)
            yield


class ObjectStore:
    """Contents under `root/objects/ab/abcdef...`; writing goes through `root/incoming/`, which is emptied at start.

    `lock` is held, shared, from the moment a content gets its name until something refers to it, and alone by
    whoever deletes contents that nothing refers to.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        """One that is not `durable` is thrown away with its server, and waits for no disk."""
        self.lock = ReadWriteLock()
        self.folders = Folders(durable=durable)
        self._durable = durable
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        private_folder(self._objects)
        private_folder(self._incoming)
        for leftover in self._incoming.iterdir():  # a crash left these; only one process owns the directory
            leftover.unlink()

    def path(self, md5: bytes) -> Path:
        """Where the content with this digest lies, or would."""
        name = md5.hex()
        return self._objects / f"{name[:2]}/{name}"

    def has(self, md5: bytes) -> bool:
        return self.path(md5).exists()

    def open(self, md5: bytes) -> IO[bytes]:
        """A stored content for reading. Raises FileNotFoundError."""
        return self.path(md5).open("rb")

    def read(self, md5: bytes) -> bytes:
        """A stored content, whole. Raises FileNotFoundError."""
        return self.path(md5).read_bytes()

    def receive(
        self, stream: Readable, *, md5: bytes, size: int | None = None, most: int | None = None
    ) -> AbstractContextManager[NewContent]:
        """`write` of a stream, if it is a content of this md5 and size, of at most so many bytes.

        Raises WrongContentError for another md5 or size (reading stops at the first byte too many); nothing stays then.
        """
        return self.write(blocks_of(stream), md5=md5, size=size, most=most)

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
        count = 0
        with NewFile(self._incoming, durable=self._durable) as file, Digest() as digest:
            for block in blocks:
                count += len(block)
                if size is not None and count > size:
                    raise WrongContentError(f"the body is larger than the declared {size} bytes")
                if most is not None and count > most:
                    raise TooLargeError(
                        f"the body is larger than {most} bytes, which is all that is taken here"
                    )
                digest.update(block)
                file.write(block)
            new = NewContent(digest.digest(), count, file, self)
            if size is not None and count != size:
                raise WrongContentError(f"the body has {count} bytes; {size} were declared")
            if md5 is not None and new.md5 != md5:
                raise WrongContentError(
                    f"the md5 of the body is {to_base64(new.md5)} ({count} bytes); {to_base64(md5)} was declared"
                )
            yield new

    def scratch(self) -> IO[bytes]:
        """A nameless file beside the contents, on the same disk; gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._incoming)

    def put(self, stream: Readable, *, md5: bytes, size: int) -> None:
        """Store a content that nothing refers to yet. Raises as `receive` does."""
        with self.receive(stream, md5=md5, size=size) as content, content.placed():
            return

    def delete(self, md5: bytes) -> None:
        """Forget a content. The caller holds `lock` alone and knows that nothing refers to it."""
        self.path(md5).unlink(missing_ok=True)
