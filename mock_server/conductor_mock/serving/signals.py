"""Signals that end a program: how its main thread waits for them, and how a program that does not wait ends in order.

The kernel gives a signal to any thread, and Python runs a handler only when the main thread next runs Python. A main
thread asleep on a lock is not woken by a signal that another thread took, so it sleeps on a socket instead, into which
the interpreter writes the number of every signal, whichever thread took it.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn

ENDING = tuple(number for number in signal.Signals if number.name in ("SIGTERM", "SIGINT", "SIGHUP"))


@contextmanager
def ended_in_order() -> Iterator[None]:
    """For the main thread of a program: a signal that ends it is a SystemExit in it, which closes what is open.

    The exit code is 128 and the number of the signal, as a shell has it. Signals that come later change nothing, also
    those behind the end of the block, where the interpreter takes itself apart.
    """
    wanted = _not_refused()
    for number in wanted:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in wanted:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def put_off() -> Iterator[None]:
    """Signals that end the program do so behind the block: for what must not be left half-way, such as a start."""
    if threading.current_thread() is not threading.main_thread():  # only that one is interrupted
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number)) for number in _not_refused()
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for first in came[:1]:
            signal.raise_signal(first)


def _end(number: int, _: FrameType | None) -> NoReturn:
    for other in _not_refused():
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _not_refused() -> list[signal.Signals]:
    """The ending signals, but for the one that `nohup` keeps from us."""
    return [
        number
        for number in ENDING
        if not (number.name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN)
    ]


class EndingSignals:
    """While it is open, the ending signals end nothing: `next` tells of them. Only in the main thread."""

    def __enter__(self) -> EndingSignals:
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._writing.fileno())
        self._before = {number: signal.signal(number, _ignore) for number in _not_refused()}
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
