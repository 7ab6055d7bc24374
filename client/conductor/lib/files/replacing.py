"""Writing a file aside and then giving it its name, so that nobody ever finds half of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class OpenFile(Protocol):
    """What an open file of either kind, buffered or not, can do."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...

    def flush(self) -> None:
        """Give what is buffered to the system."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def replace_file(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace a file as a whole; ``private`` makes it readable by its owner only.

    Raises OSError where it cannot be written; what was there is then still there.
    """
    aside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    # With its mode from the start, so that a private file is never readable by others, not even for a moment.
    descriptor = os.open(aside, _FLAGS, 0o600 if private else 0o666)
    try:
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, no path
            stream.write(content)
            put_in_place(stream, aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def put_in_place(stream: OpenFile, aside: Path, path: Path) -> None:
    """Give a file that was written aside its name, its bytes on the disk before; it replaces what had the name.

    On Windows the stream is closed, since an open file cannot be renamed there.
    """
    stream.flush()
    os.fsync(stream.fileno())
    if sys.platform == "win32":
        stream.close()
    aside.replace(path)
