"""The last resort of a stop: a process that does not come to its end is ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ends_within(seconds: float, give_up: Callable[[], None]) -> Iterator[None]:
    """The block ends in so many seconds, or `give_up` is called in another thread, which is to end the process."""
    over = threading.Event()

    def watch() -> None:
        if not over.wait(seconds):
            give_up()

    with suppress(RuntimeError):  # no more threads: then it ends when it ends
        threading.Thread(target=watch, name="limit", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def end_process(code: int) -> None:
    """End at once, whatever the other threads wait for: nothing is flushed or closed."""
    os._exit(code)
