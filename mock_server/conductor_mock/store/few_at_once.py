"""What a few threads may do at once because it may take long: others wait for their turn, and work at nothing then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from conductor_mock.store.unavailable import UnavailableError

Waiting = Callable[[], AbstractContextManager[object]]
"""A block in which the thread that calls does nothing, so that another one may work in its place."""


class FewAtOnce:
    """Turns, of which `most` are had at once. Safe in any thread."""

    def __init__(self, most: int, patience_s: float, *, waiting: Waiting = nullcontext) -> None:
        """Nobody waits for a turn longer than `patience_s`."""
        self.waiting = waiting
        self._patience_s = patience_s
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One of the turns, for the block. Raises UnavailableError where there was none for too long."""
        if not self._free.acquire(blocking=False):
            with self.waiting():
                has_come = self._free.acquire(timeout=self._patience_s)
            if not has_come:
                raise UnavailableError("too much waits for it")
        try:
            yield
        finally:
            self._free.release()
