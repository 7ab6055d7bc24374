"""The md5 of files: base64 of the 16 raw bytes, over the whole file (wire reference 4)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

from conductor.lib.exceptions import FileChangedError, InvalidPathError
from conductor.lib.files.digests import Md5
from conductor.lib.files.local import LocalFile, changed, describe

# One buffer of this size for each thread: large enough that hashing, not reading, takes the time.
BUFFER_BYTES = 1024 * 1024


def hash_file(path: str, check: Callable[[], None] = lambda: None) -> LocalFile:
    """Return the file with its md5 and the stat that belongs to it.

    ``check`` is called after each block, and ends the work by what it raises. Raises FileChangedError if it was
    written to meanwhile, InvalidPathError if it cannot be read.
    """
    try:
        with io.FileIO(path) as stream:
            before = LocalFile(path, os.fstat(stream.fileno()))
            md5 = md5_of(stream, before.size, check)
            count, after = stream.tell(), os.fstat(stream.fileno())
    except OSError as error:
        raise InvalidPathError(f"{path} cannot be read: {error.strerror}") from None
    if not before.same_as(after):
        raise changed(before, describe(after), "while its md5 was taken")
    if count != before.size:
        # /proc and its like: the service is told the size, and would refuse the bytes.
        raise InvalidPathError(
            f"{path} has {before.size} bytes as its disk says, and {count} when it is read; "
            "give a copy of it instead"
        )
    return before.with_md5(md5)


def md5_of(stream: io.RawIOBase, size: int, check: Callable[[], None] = lambda: None) -> str:
    """Return the md5 of what is left of an unbuffered stream; ``size`` only guides the buffer."""
    digest = Md5()
    buffer = memoryview(bytearray(min(max(size, 1) + 1, BUFFER_BYTES)))
    while count := stream.readinto(buffer):
        digest.update(buffer[:count])
        check()
    return digest.text


def contradiction(file: LocalFile, during: str) -> FileChangedError | None:
    """Return the error for a file whose content is no longer what its md5 says, None if it still is.

    Reads the whole file, so it is for explaining a failure.
    """
    try:
        now = hash_file(file.path)
    except FileChangedError as error:
        return changed(file, f"still changing ({error.actual})", during)
    except InvalidPathError:
        return changed(file, "no longer readable", during)
    return None if now.md5 == file.md5 else changed(file, f"md5 {now.md5}", during)
