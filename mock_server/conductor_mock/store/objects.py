"""File contents by their md5, in one directory: a name stands for whole, verified, durable bytes or does not exist.

md5 identifies contents because the protocol does (wire reference section 4). Names here are made of the digest only,
never of a path that a client sent.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from conductor_mock.md5 import to_base64

BLOCK = 1 << 18


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class WrongContentError(ValueError):
    """A body that is not what was declared; nothing of it was stored."""


class ObjectStore:
    """Contents under `root/objects/ab/abcdef...`; writing goes through `root/incoming/`, which is emptied at start."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._objects.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(exist_ok=True)
        for leftover in self._incoming.iterdir():  # a crash left these; only one process owns the directory
            leftover.unlink()

    def path(self, md5: bytes) -> Path:
        """Where the content with this digest lies, or would."""
        name = md5.hex()
        return self._objects / name[:2] / name

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

    def put(self, stream: Readable, *, md5: bytes, size: int | None = None) -> int:
        """Store the bytes of `stream` in constant memory if they have this md5 and size; answer how many they are.

        Raises WrongContentError for another md5 or size (reading stops at the first byte too many), OSError when the
        disk refuses. In each case nothing stays behind. When it returns the content is on disk.
        """
        digest = hashlib.md5(usedforsecurity=False)
        count = 0
        with self._temporary() as (file, name):
            while block := stream.read(BLOCK):
                count += len(block)
                if size is not None and count > size:
                    raise WrongContentError(f"the body is larger than the declared {size} bytes")
                digest.update(block)
                file.write(block)
            if size is not None and count != size:
                raise WrongContentError(f"the body has {count} bytes, declared were {size}")
            if digest.digest() != md5:
                raise WrongContentError(
                    f"the body's md5 is {to_base64(digest.digest())}, declared was {to_base64(md5)} ({count} bytes)"
                )
            self._commit(file, name, md5)
        return count

    def put_bytes(self, data: bytes) -> bytes:
        """Store `data` and answer its md5; what is there already is not written again."""
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        if not self.has(md5):
            with self._temporary() as (file, name):
                file.write(data)
                self._commit(file, name, md5)
        return md5

    def delete(self, md5: bytes) -> None:
        """Forget a content. The caller knows that nothing refers to it."""
        self.path(md5).unlink(missing_ok=True)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[IO[bytes], Path]]:
        name = self._incoming / secrets.token_hex(16)
        with name.open("xb", buffering=0) as file:
            try:
                yield file, name
            finally:
                with suppress(FileNotFoundError):  # renamed when all went well
                    name.unlink()

    def _commit(self, file: IO[bytes], name: Path, md5: bytes) -> None:
        os.fsync(file.fileno())
        target = self.path(md5)
        target.parent.mkdir(exist_ok=True)
        name.replace(target)
        _fsync_directory(target.parent)


def _fsync_directory(path: Path) -> None:
    if os.name == "nt":  # directories cannot be opened there; renames are journaled by the file system
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
