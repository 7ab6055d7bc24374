"""A file on its way here: beside its place under another name, continued where it stopped, put in place when right.

The name follows from the file's name and md5, so that a later run finds it again. A lock on it keeps two processes
from writing it together: the second waits, and then finds the file in its place.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat as stat_modes
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from conductor.lib.exceptions import TryAgainError
from conductor.lib.files.digests import Md5, hashed_name
from conductor.lib.files.hashing import BUFFER_BYTES
from conductor.lib.files.replacing import put_in_place

SUFFIX = ".conductor-part"
_POLL_SECONDS = 0.2
_BUSY = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)", re.ASCII)
_NO_FOLLOW = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class RangeIgnoredError(TryAgainError):
    """The server sent another part of the file than was asked for."""


def partial_path(target: Path, md5: str | None) -> Path:
    """Return the name that the file has until it is whole; short, since the file's own may be as long as any."""
    name = hashed_name(f"{target.name}\0{md5}")
    return target.with_name(f".{name[:32]}{SUFFIX}")


class PartialFile:
    """The bytes of a file that are here so far: the sink of one download. Opens and locks; ``close`` it.

    ``size`` and ``md5`` are what the whole must come to. ``wait`` is called with seconds while another process has
    the file; ``got`` with the number of bytes of every block, and may raise to end the download. Raises OSError as
    the disk does.
    """

    def __init__(
        self,
        target: Path,
        *,
        size: int,
        md5: str | None,
        wait: Callable[[float], object],
        got: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.target, self.size, self.md5 = target, size, md5
        self.path = partial_path(target, md5)
        self._got = got
        self.received = 0
        self._stream = _open_alone(self.path, wait)
        self._digest = Md5()
        self._count = 0
        self.overrun = False
        """Whether the last answer went on behind the promised size."""
        try:
            self._read_what_is_there()
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """How many bytes are here."""
        return self._count

    @property
    def actual_md5(self) -> str:
        """The md5 (base64) of the bytes that are here."""
        return self._digest.text

    @property
    def right(self) -> bool:
        """Whether the whole file is here: as many bytes as promised, of the md5 that was promised."""
        return not self.overrun and self._count == self.size and self.md5 in (None, self.actual_md5)

    def _read_what_is_there(self) -> None:
        """Take the bytes of an earlier run. Without an md5 nothing says that they are of the same file."""
        there = os.fstat(self._stream.fileno()).st_size
        if there == 0:
            return
        if self.md5 is None or there > self.size:
            self.start_over()
            return
        buffer = memoryview(bytearray(min(there, BUFFER_BYTES)))
        while count := self._stream.readinto(buffer):
            self._digest.update(buffer[:count])
            self._count += count

    def start_over(self) -> None:
        """Forget the bytes that are here."""
        self._stream.seek(0)
        self._stream.truncate()
        self.overrun = False
        self._digest = Md5()
        self._count = 0

    def missing(self) -> Mapping[str, str]:
        """Return the header that asks for the rest, none for the whole."""
        return {"Range": f"bytes={self._count}-"} if self._count else {}

    def receive(self, status: int, headers: Mapping[str, str], blocks: Iterator[bytes]) -> None:
        """Write the blocks behind what is here, or from the start where the server sends the whole file.

        No byte is written, or waited for, behind the promised size.
        """
        if status == 206:
            match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
            if match is None or int(match[1]) != self._count:
                raise RangeIgnoredError(
                    f"the answer is another range than that from {self._count}", status=status
                )
        elif self._count:
            self.start_over()
        self.overrun = False
        for block in blocks:
            if len(block) > self.size - self._count:
                self.overrun = True
                return
            self.write(block)

    def write(self, block: bytes) -> None:
        """Write one block."""
        view = memoryview(block)
        while view:
            written = self._stream.write(view) or 0
            view = view[written:]
        self._digest.update(block)
        self._count += len(block)
        self.received += len(block)
        self._got(len(block))

    def put_in_place(self) -> os.stat_result:
        """Give the file its name, its bytes on the disk before; it replaces what had the name, and is closed.

        Returns the stat that belongs to these bytes.
        """
        put_in_place(self._stream, self.path, self.target)
        stat = self.target.stat() if self._stream.closed else os.fstat(self._stream.fileno())
        self.close()
        return stat

    def discard(self) -> None:
        """Remove what is here, and close."""
        if sys.platform == "win32":
            self.close()
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close the file, and with that let others have it. What is here stays for a later run."""
        self._stream.close()


def _open_alone(path: Path, wait: Callable[[float], object]) -> io.FileIO:
    """Open the file, or make it, for this process only; wait as long as another one has it."""
    while True:
        stream = _open(path)
        try:
            if _lock(stream) and _is_at(stream, path):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()
        if path.exists():
            wait(_POLL_SECONDS)


def _open(path: Path) -> io.FileIO:
    """Open what an earlier run left, or make a new file.

    The name can be guessed, so others can put something there first. A second name of another file would be written
    through: it is taken away, never what has it too. A symbolic link is refused.
    """
    while True:
        with suppress(FileNotFoundError):
            if stream := _left(path):
                return stream
            path.unlink()
        with suppress(FileExistsError):  # made by another process just now
            return io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o666), "r+")


def _left(path: Path) -> io.FileIO | None:
    """Open the file of this name; None for what is no file of this one name alone. Raises FileNotFoundError."""
    stat = path.lstat()
    if stat_modes.S_ISLNK(stat.st_mode):  # said here too: Windows has no flag for it
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if not _is_file_alone(stat):
        return None
    descriptor = os.open(path, os.O_RDWR | _NO_FOLLOW)
    if _is_file_alone(os.fstat(descriptor)):
        return io.FileIO(descriptor, "r+")
    os.close(descriptor)
    return None


def _is_file_alone(stat: os.stat_result) -> bool:
    return stat_modes.S_ISREG(stat.st_mode) and stat.st_nlink <= 1


def _is_at(stream: io.FileIO, path: Path) -> bool:
    """Say whether the open file still has this name: whoever had the lock may have put it in place."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.lstat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _lock(stream: io.FileIO) -> bool:
        return True  # without sharing rules for reading back what is locked; the md5 tells in the end

else:

    def _lock(stream: io.FileIO) -> bool:
        """Take the lock if nobody has it. Where the file system cannot lock, go on: the md5 tells in the end."""
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _BUSY
        return True
