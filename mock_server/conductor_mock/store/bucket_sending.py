"""How a body gets into a bucket: at once or in parts, each held to its md5, and what the store made of it as well."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import IO, Any

from conductor_mock.store.bucket import Bucket, BucketError
from conductor_mock.store.content_store import BLOCK, blocks_of

PART = 8 << 20
"""A body up to this size is sent at once; larger ones in parts of it, more than `MOST_PARTS` in larger ones."""
MOST_PARTS = 10_000
"""S3 takes no more."""
DELETING = 32
"""Calls that go on beside each other where many names are taken away."""


def send(bucket: Bucket, name: str, body: bytes, *, md5: bytes) -> None:
    """Store a body at once. Raises BucketError; it is not there then, so far as the store can be asked."""
    if bucket.put(name, body, md5=md5) != md5.hex():
        _read_back(bucket, name, md5)


def send_file(bucket: Bucket, name: str, file: IO[bytes], size: int, *, md5: bytes) -> None:
    """Store what a file has, which was compared with its md5: at once or in parts. Raises BucketError."""
    file.seek(0)
    if size <= PART:
        send(bucket, name, file.read(), md5=md5)
        return
    with InParts(bucket, name, size) as body:
        body.take(file)
        body.join(md5)


def forget_names(bucket: Bucket, names: Collection[str]) -> None:
    """Take names away that nothing means any more, some beside each other; what cannot be is for the sweeper."""
    if len(names) > 1:
        with ThreadPoolExecutor(DELETING, thread_name_prefix="bucket") as threads:
            for _ in threads.map(partial(_forget_name, bucket), names):
                pass
    for name in names if len(names) == 1 else ():
        _forget_name(bucket, name)


def _forget_name(bucket: Bucket, name: str) -> None:
    with suppress(BucketError):
        bucket.delete(name)


def is_whole(bucket: Bucket, name: str, md5: bytes) -> bool:
    """Whether what has a name is there and has an md5; it stays where it is. Raises BucketError."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        body = bucket.get(name)
    except FileNotFoundError:
        return False
    with body:
        while block := bucket.read(body, BLOCK):
            digest.update(block)
    return digest.digest() == md5


def is_damaged(bucket: Bucket, name: str, md5: bytes) -> bool:
    """Whether a store holds other bytes than a content's, by what it sends and by what it says of it.

    Where it says in its ETag that it holds the content, or what is not that which comes, the way is at fault: bytes
    become others between it and us. Raises FileNotFoundError, BucketError.
    """
    found = bucket.head(name)
    whole = hashlib.md5(usedforsecurity=False)
    digests: list[bytes] = []
    with bucket.get(name) as body:
        while piece := _piece(bucket, body, part_bytes(found.size), whole):
            digests.append(piece)
    is_vouched_for = found.etag == md5.hex() or ("-" in found.etag and found.etag != _etag_of(digests))
    return whole.digest() != md5 and not is_vouched_for


def _piece(bucket: Bucket, body: IO[bytes], size: int, whole: Any) -> bytes | None:
    """The md5 of the next `size` bytes of a body, or of what is left; None at its end. `whole` takes them, too."""
    digest = hashlib.md5(usedforsecurity=False)
    left = size
    while left and (block := bucket.read(body, min(BLOCK, left))):
        digest.update(block)
        whole.update(block)
        left -= len(block)
    return None if left == size else digest.digest()


def part_bytes(size: int) -> int:
    """The bytes of each part of a body, but for the last one."""
    return max(PART, -(-size // MOST_PARTS))


def _etag_of(digests: Sequence[bytes]) -> str:
    """What a store calls a body in parts, of the md5s of its parts."""
    together = hashlib.md5(b"".join(digests), usedforsecurity=False)
    return f"{together.hexdigest()}-{len(digests)}"


def _read_back(bucket: Bucket, name: str, md5: bytes) -> None:
    """Compare what a store made of a body that it names otherwise. Raises BucketError."""
    if not is_whole(bucket, name, md5):
        bucket.delete(name)
        raise BucketError("its object store kept other bytes than it was sent")


class InParts:
    """A body that is sent in parts as it is written, one of them in memory, and has its name once they are joined.

    At the end of its block nothing of it stays unless it was joined. Everything may raise BucketError.
    """

    def __init__(self, bucket: Bucket, name: str, size: int) -> None:
        """`size` is the bytes that it has at most."""
        self._bucket = bucket
        self._name = name
        self._part = part_bytes(size)
        self._upload = bucket.begin_parts(name)
        self._waiting = bytearray()
        self._etags: list[str] = []
        self._digests: list[bytes] = []
        self._joined = False

    def write(self, block: bytes) -> None:
        """The next bytes."""
        self._waiting += block
        while len(self._waiting) >= self._part:
            body = bytes(self._waiting[: self._part])
            del self._waiting[: self._part]
            self._send(body)

    def take(self, file: IO[bytes]) -> None:
        """All that is left of a file, and no more."""
        for block in blocks_of(file):
            self.write(block)
        self.end()

    def end(self) -> None:
        """There are no more bytes: all of them are sent when this returns."""
        if self._waiting:
            body = bytes(self._waiting)
            self._waiting.clear()
            self._send(body)

    def join(self, md5: bytes) -> None:
        """Give the body, which has this md5, its name."""
        etag = self._bucket.join_parts(self._name, self._upload, self._etags)
        self._joined = True
        if etag != _etag_of(self._digests):
            _read_back(self._bucket, self._name, md5)

    def _send(self, body: bytes) -> None:
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        number = len(self._etags) + 1
        self._etags.append(self._bucket.put_part(self._name, self._upload, number, body, md5=md5))
        self._digests.append(md5)

    def __enter__(self) -> InParts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._joined:
            with suppress(BucketError, FileNotFoundError):  # the sweeper comes by
                self._bucket.forget_parts(self._name, self._upload)
