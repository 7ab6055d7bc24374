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
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import NoReturn

ENDING = tuple(number for number in signal.Signals if number.name in ("SIGTERM", "SIGINT", "SIGHUP"))

_NUMBER = 0x3F
_SENT, _PRESSED = 0x40, 0x80
"""Beside the number of a signal: who it came from, where that is known."""


def wait_for_children() -> None:
    """At the start of a program: how its children end is told to it, although whoever started it had asked not to know.

    Else the kernel throws their exit codes away, and each of them seems to have ended well.
    """
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


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
    """While it is open, the ending signals end nothing: `next` tells of them. Only in the main thread.

    With `asks_sender` it also tells whether a SIGINT came from the terminal. That is known to whoever waits for the
    signal in the kernel alone: it is blocked in this thread and those that are started meanwhile, and one thread waits.
    """

    def __init__(self, *, asks_sender: bool = False) -> None:
        self._asks_sender = asks_sender and hasattr(signal, "sigwaitinfo")
        self._closing = False
        self.from_terminal: bool | None = None
        """Whether the signal that `next` told last came from a terminal; None when that is not known."""

    def __enter__(self) -> EndingSignals:
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._writing.fileno())
        self._before = {number: signal.signal(number, _ignore) for number in _not_refused()}
        if self._asks_sender:
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            self._taking = threading.Thread(target=self._take_interrupts, name="interrupts", daemon=True)
            self._taking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asks_sender:
            self._closing = True
            assert self._taking.ident is not None  # noqa: S101 - it was started
            signal.pthread_kill(self._taking.ident, signal.SIGINT)
            self._taking.join()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._reading.close()
        self._writing.close()

    def fileno(self) -> int:
        """What is ready to be read when there is a next one."""
        return self._reading.fileno()

    def forget(self) -> None:
        """In a process that was forked off: signals are no more told to the one that it comes from."""
        signal.set_wakeup_fd(-1)
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)
        self._reading.close()
        self._writing.close()

    def next(self, timeout_s: float | None = None) -> int:
        """Wait for the next signal; its number, or 0 for a `wake` and when so many wall seconds are over."""
        self._reading.settimeout(timeout_s)
        try:
            told = self._reading.recv(1)[0]
        except TimeoutError:
            return 0
        self.from_terminal = {_SENT: False, _PRESSED: True}.get(told & ~_NUMBER)
        return told & _NUMBER

    @contextmanager
    def as_others_have_them(self) -> Iterator[None]:
        """In the block no signal is blocked: what is started there begins as if there were nothing here."""
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, self._mask) if self._asks_sender else None
        try:
            yield
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _take_interrupts(self) -> None:
        while True:
            told = signal.sigwaitinfo({signal.SIGINT})
            if self._closing:
                return
            origin = _SENT if told.si_code <= 0 else _PRESSED  # a process has sent it, or the kernel
            with suppress(BlockingIOError):  # nobody looks any more
                self._writing.send(bytes([origin | told.si_signo]))

    def wake(self) -> None:
        """Let whoever waits go on. From any thread."""
        self._writing.send(b"\0")


def _ignore(_: int, __: FrameType | None) -> None:
    """A handler of our own, since an ignored signal is not told of."""
