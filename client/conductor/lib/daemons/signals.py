"""Ending by SIGTERM and Ctrl-C with everything put in order first."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from conductor.lib.cancellation import Cancellation

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_by_signals(cancellation: Cancellation) -> Iterator[None]:
    """Within the block, let the first SIGINT or SIGTERM cancel; the next one has its usual effect at once.

    Only the main thread can do so; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore(_: int = 0, __: FrameType | None = None) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # The kernel may give a signal to any thread, and a main thread that waits is then not woken to run its handler. So
    # a thread of its own waits for what the interpreter writes, whichever thread took the signal.
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def cancel() -> None:
        if reading.recv(1)[0]:
            cancellation.cancel()

    fd_before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, restore)
    waiting = threading.Thread(target=cancel, name="conductor-signal", daemon=True)
    waiting.start()
    try:
        yield
    finally:
        restore()
        signal.set_wakeup_fd(fd_before)
        writing.send(b"\0")
        waiting.join()
        reading.close()
        writing.close()
