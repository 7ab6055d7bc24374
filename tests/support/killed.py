"""Runs ``conductor`` and sends it a signal just before the n-th thing that it does: ``killed.py SIGNAL N WORDS...``.

Counted are folders and files that are made, locked, written, renamed and removed, connections, and requests. As a
program of its own, so that nothing in the library has to know about it.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

COUNTED = {"os.mkdir", "os.rename", "os.remove", "fcntl.flock", "socket.connect", "http.client.send"}


def main() -> None:
    number, last = signal.Signals[sys.argv[1]], int(sys.argv[2])
    sys.argv[1:3] = []
    # Who was started in the background of a shell without job control ignores it, and its children do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from conductor import cli
    from conductor.lib.download import partial_file
    from conductor.lib.wire import transport

    transport.RECEIVED_BYTES = 4096  # several blocks for each small file
    numbers = itertools.count(1)

    def count() -> None:
        if next(numbers) == last:
            os.kill(os.getpid(), number)

    def audit(event: str, _: tuple[Any, ...]) -> None:
        if event in COUNTED:
            count()

    write = partial_file.PartialFile.write

    def counted_write(self: partial_file.PartialFile, block: bytes) -> None:
        count()
        half = len(block) // 2
        write(self, block[:half])
        count()
        write(self, block[half:])

    partial_file.PartialFile.write = counted_write  # type: ignore[method-assign]
    sys.addaudithook(audit)
    cli.main()


if __name__ == "__main__":
    main()
