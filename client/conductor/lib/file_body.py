"""A file, or a part of one, as the body of a request: streamed, and watched for change."""

from __future__ import annotations

import io
import os
from pathlib import Path
from threading import Event

from conductor.lib.exceptions import ConductorError
from conductor.lib.local_files import LocalFile, changed, describe

DURING = "between hashing and upload"


class Abandoned(ConductorError):
    """Another file of the same upload failed, so this one was not sent to its end."""


class FileBody(io.RawIOBase):
    """The bytes ``offset`` to ``offset + length`` of a file whose md5 was taken before.

    Opening raises FileChangedError if the file is no longer the one that was hashed; so does reading, if it ends
    early. ``stop`` makes reading raise Abandoned, so that one failure ends a large upload at once.
    """

    def __init__(self, file: LocalFile, offset: int, length: int, stop: Event) -> None:
        super().__init__()
        if stop.is_set():
            raise Abandoned(f"{file.path} was not sent")
        self._file, self._left, self._stop = file, length, stop
        try:
            self._stream = Path(file.path).open("rb", buffering=0)  # noqa: SIM115 - closed by close
        except OSError as error:
            raise changed(file, f"{error.strerror}", DURING) from None
        try:
            self.check()
            self._stream.seek(offset)
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raise FileChangedError if the file is not what it was when it was hashed."""
        now = os.fstat(self._stream.fileno())
        if not self._file.same_as(now):
            raise changed(self._file, describe(now), DURING)

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to this many bytes, none at the end of the range."""
        if self._stop.is_set():
            raise Abandoned(f"{self._file.path} was not sent to its end")
        data = self._stream.read(self._left if size < 0 else min(size, self._left)) if self._left else b""
        if self._left and not data:
            raise changed(self._file, describe(os.fstat(self._stream.fileno())), DURING)
        self._left -= len(data)
        if not self._left:
            self.check()
        return data

    def close(self) -> None:
        """Close the file."""
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()
        super().close()
