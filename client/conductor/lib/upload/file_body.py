"""A file, or a part of one, as the body of a request: streamed, and watched for change."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

from conductor.lib.cancellation import Cancellation
from conductor.lib.files.digests import Md5
from conductor.lib.files.local import LocalFile, changed, describe

DURING = "between hashing and upload"


class FileBody(io.RawIOBase):
    """The bytes ``offset`` to ``offset + length`` of a file whose md5 was taken before.

    Opening raises FileChangedError if the file is no longer the one that was hashed; so does reading, if it ends
    early or, with ``check_md5``, if the whole file was read and its md5 is another: that costs a second md5, for
    where nobody else would notice, and is noticed before the last bytes are given out. ``stop`` makes reading raise
    CancelledError, so that one failure ends a large upload at once. ``tell_read`` is told after each block how many
    bytes were read so far.
    """

    def __init__(
        self,
        file: LocalFile,
        offset: int,
        length: int,
        stop: Cancellation,
        *,
        check_md5: bool = False,
        tell_read: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__()
        stop.check()
        self._file, self._length, self._left, self._stop = file, length, length, stop
        self._digest = Md5() if check_md5 else None
        self._tell_read = tell_read
        try:
            self._stream = io.FileIO(file.path)
        except OSError as error:
            raise changed(file, f"{error.strerror}", DURING) from None
        try:
            self.check()
            if offset:
                self._stream.seek(offset)
            if not length:
                self._check_md5()
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raise FileChangedError if the file is not what it was when it was hashed."""
        now = os.fstat(self._stream.fileno())
        if not self._file.same_as(now):
            raise changed(self._file, describe(now), DURING)

    def _check_md5(self) -> None:
        if self._digest is None:
            return
        if self._digest.text != self._file.md5:
            raise changed(self._file, f"md5 {self._digest.text}", DURING)

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to this many bytes, none at the end of the range."""
        self._stop.check()
        data = self._stream.read(self._left if size < 0 else min(size, self._left)) if self._left else b""
        if self._left and not data:
            raise changed(self._file, describe(os.fstat(self._stream.fileno())), DURING)
        self._left -= len(data)
        if self._digest is not None:
            self._digest.update(data)
        if not self._left:
            self.check()
            self._check_md5()
        self._tell_read(self._length - self._left)
        return data

    def close(self) -> None:
        """Close the file."""
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()
        super().close()
