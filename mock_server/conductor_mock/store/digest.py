"""The md5 of a body as it is read, taken beside the reading and writing when the body is large."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

ALONE_BYTES = 8 << 20
"""A body up to this size is not worth a thread."""


class Digest:
    """An md5 that is at most one block behind: the next block waits until the last one is in it.

    Reading a large body from a socket, writing it and taking its md5 cost about the same, and only the last needs no
    turn of the interpreter, so it goes on beside the others.
    """

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._count = 0
        self._thread: ThreadPoolExecutor | None = None
        self._behind: Future[None] | None = None

    def update(self, block: bytes) -> None:
        """Take the next block, which must not change any more."""
        self._count += len(block)
        if self._count <= ALONE_BYTES:
            self._md5.update(block)
            return
        self._catch_up()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "conductor-mock-md5")
        self._behind = self._thread.submit(self._md5.update, block)

    def digest(self) -> bytes:
        """The md5 of all blocks."""
        self._catch_up()
        return self._md5.digest()

    def hexdigest(self) -> str:
        """The same in hexadecimal."""
        return self.digest().hex()

    def _catch_up(self) -> None:
        if self._behind is not None:
            self._behind.result()
            self._behind = None

    def __enter__(self) -> Digest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown()
