"""Running pieces of work in threads, with the results taken by the thread that hands the work out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class WorkPool(Generic[T]):
    """A bounded pool. With one worker everything runs at once in the calling thread, and no thread is made.

    The owner hands work out while there is ``room``, and takes results one by one with ``take``. Leaving the
    ``with`` block drops what has not begun and waits for what has.
    """

    def __init__(self, workers: int) -> None:
        self._executor = ThreadPoolExecutor(workers, "conductor") if workers > 1 else None
        self._limit = 2 * workers if workers > 1 else 1
        self._done: SimpleQueue[Future[T]] = SimpleQueue()
        self._inline: deque[T] = deque()
        self.pending = 0

    def __enter__(self) -> WorkPool[T]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._executor:
            self._executor.shutdown(wait=True, cancel_futures=True)

    @property
    def room(self) -> bool:
        """Whether more work may be handed out: enough for every worker, and as much again waiting."""
        return self.pending < self._limit

    @property
    def idle(self) -> bool:
        """Whether some worker has nothing to do."""
        return self.pending < max(1, self._limit // 2)

    def give(self, work: Callable[[], T]) -> None:
        """Hand out a piece of work."""
        self.pending += 1
        if self._executor is None:
            self._inline.append(work())
            return
        self._executor.submit(work).add_done_callback(self._done.put)

    def take(self, timeout: float | None = None) -> T:
        """Wait for the next piece that is done; return its result, or raise what it raised.

        Raises queue.Empty when none was done within so many seconds.
        """
        result = self._done.get(timeout=timeout).result() if self._executor else self._inline.popleft()
        self.pending -= 1
        return result
