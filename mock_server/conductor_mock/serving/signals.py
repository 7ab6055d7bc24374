"""Signals that end a program, and how its main thread waits for them.

The kernel gives a signal to any thread, and Python runs a handler only when the main thread next runs Python. A main
thread asleep on a lock is not woken by a signal that another thread took, so it sleeps on a socket instead, into which
the interpreter writes the number of every signal, whichever thread took it.
"""

from __future__ import annotations

import signal
import socket
from types import FrameType, TracebackType

ENDING = (signal.SIGTERM, signal.SIGINT)


class EndingSignals:
    """While it is open, SIGTERM and SIGINT end nothing: `next` tells of them. Only in the main thread."""

    def __enter__(self) -> EndingSignals:
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._writing.fileno())
        self._before = {number: signal.signal(number, _ignore) for number in ENDING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._reading.close()
        self._writing.close()

    def next(self) -> int:
        """Wait for the next signal; its number, or 0 for a `wake`."""
        return self._reading.recv(1)[0]

    def wake(self) -> None:
        """Let whoever waits go on. From any thread."""
        self._writing.send(b"\0")


def _ignore(_: int, __: FrameType | None) -> None:
    """A handler of our own, since an ignored signal is not told of."""
