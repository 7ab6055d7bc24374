"""Ending by SIGTERM and Ctrl-C with everything put in order first."""

from __future__ import annotations

import signal
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

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def cancel(_: int, __: FrameType | None) -> None:
        restore()
        # In a thread: the one that was interrupted may hold the lock that cancelling needs.
        threading.Thread(target=cancellation.cancel, name="conductor-signal", daemon=True).start()

    for number in _SIGNALS:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        restore()
