"""Ending work that is under way, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from conductor.lib.exceptions import ConductorError


class CancelledError(ConductorError):
    """The work was cancelled. What was done stays done; the same again does the rest."""

    exit_code = 130


class Cancellation:
    """A switch that is handed to a transfer and turned, once, by whoever wants it to end."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """End the work. Safe from any thread and more than once; returns before the work has ended."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise CancelledError if ``cancel`` was called."""
        if self._event.is_set():
            raise CancelledError("cancelled")

    def wait(self, seconds: float) -> bool:
        """Sleep so long at most; return early, and True, when cancelled."""
        return self._event.wait(seconds)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, let ``cancel`` call this too, once; at once if it was cancelled before.

        The callback runs in the thread that cancels and must not block.
        """
        with self._lock:
            before = self._event.is_set()
            if not before:
                self._callbacks.append(callback)
        if before:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)
