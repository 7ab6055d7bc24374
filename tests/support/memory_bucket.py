"""A bucket in the memory of this process, where hundreds of stories are to be told."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import IO, Any

from conductor_mock.store.bucket import Bucket, Found, Location


@dataclass
class Kept:
    """What all servers of a test have in the store: bodies by name, and those that are sent in parts."""

    bodies: dict[str, tuple[bytes, str, float]] = field(default_factory=dict)
    begun: dict[str, tuple[str, dict[int, bytes], float]] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=count)


class MemoryBucket(Bucket):
    """Takes the place of `Bucket`; `kept` may be that of another one."""

    def __init__(self, location: Location, kept: Kept, *, now_s: Callable[[], float] = time.time) -> None:
        """`now_s` is the clock of the store."""
        self.location = location
        self._kept = kept
        self._now_s = now_s

    def wait_by(self, waiting: Any) -> None:
        """Memory makes nobody wait."""

    def put(self, name: str, body: bytes, *, md5: bytes, is_new: bool = False) -> str:
        if is_new and name in self._kept.bodies:
            raise FileExistsError(name)
        assert hashlib.md5(body).digest() == md5
        self._kept.bodies[name] = (bytes(body), md5.hex(), self._now_s())
        return md5.hex()

    def get(self, name: str, first: int = 0, count: int | None = None) -> IO[bytes]:
        body, _, _ = self._there(name)
        return io.BytesIO(body[first:] if count is None else body[first : first + count])

    def read(self, body: Any, size: int) -> bytes:
        return bytes(body.read(size))

    def head(self, name: str) -> Found:
        body, etag, stored_s = self._there(name)
        return Found(name, len(body), etag, stored_s, self._now_s() - stored_s)

    def check(self) -> None:
        return

    def listed(self, begin: str) -> Iterator[Found]:
        return iter([self.head(name) for name in sorted(self._kept.bodies) if name.startswith(begin)])

    def delete(self, name: str) -> None:
        self._kept.bodies.pop(name, None)

    def copy(self, name: str, target: str) -> None:
        self._kept.bodies[target] = self._there(name)

    def begin_parts(self, name: str) -> str:
        upload = f"upload-{next(self._kept.numbers)}"
        self._kept.begun[upload] = (name, {}, self._now_s())
        return upload

    def put_part(self, name: str, upload: str, number: int, body: bytes, *, md5: bytes) -> str:
        assert hashlib.md5(body).digest() == md5
        self._kept.begun[upload][1][number] = body
        return md5.hex()

    def join_parts(self, name: str, upload: str, etags: list[str]) -> str:
        of, parts, _ = self._kept.begun.pop(upload)
        bodies = [parts[number] for number in range(1, len(etags) + 1)]
        digests = [hashlib.md5(body).digest() for body in bodies]
        assert (of, etags) == (name, [digest.hex() for digest in digests])
        etag = f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(etags)}"
        self._kept.bodies[name] = (b"".join(bodies), etag, self._now_s())
        return etag

    def forget_parts(self, name: str, upload: str) -> None:
        if self._kept.begun.pop(upload, None) is None:
            raise FileNotFoundError(name)

    def begun(self) -> Iterator[tuple[str, str, float]]:
        begun = list(self._kept.begun.items())
        return iter([(name, upload, self._now_s() - since_s) for upload, (name, _, since_s) in begun])

    def _there(self, name: str) -> tuple[bytes, str, float]:
        try:
            return self._kept.bodies[name]
        except KeyError:
            raise FileNotFoundError(name) from None
