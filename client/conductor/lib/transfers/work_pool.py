"""Running pieces of work in threads, with the results taken by the thread that hands the work out."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

Then = Callable[[], None]
Work = Callable[[], Then]
"""A piece of work, done by any thread. It returns what the coordinating thread is to do with its result."""

SEVERAL = 5
"""So many small pieces are handed out as one at most: taking a result wakes the thread that coordinates."""

# How long threads that were told to stop are waited for. One that hangs in what nobody can break off, such as a look-up
# of a name, is left behind: it does nothing more when it comes back, and does not keep the process alive.
GRACE_SECONDS = 0.8


class SmallWork(partial[Then]):
    """A piece of work that is done in less time than it takes to hand it out and to take its result."""


def several(waiting: deque[Work], workers: int) -> Work:
    """Take the next piece from what waits, with the small ones that follow a small one.

    No more than SEVERAL, and no more than each worker's share. What was done before one that fails is lost with it.
    """
    share = min(SEVERAL, -(-len(waiting) // workers))
    pieces = [waiting.popleft()]
    while len(pieces) < share and isinstance(pieces[-1], SmallWork) and isinstance(waiting[0], SmallWork):
        pieces.append(waiting.popleft())
    if len(pieces) == 1:
        return pieces[0]

    def work() -> Then:
        results = [piece() for piece in pieces]

        def then() -> None:
            for result in results:
                result()

        return then

    return work


class _Outcome(Generic[T]):
    """What a piece of work returned, or raised; neither for a call of ``wake``."""

    def __init__(self, results: tuple[T, ...] = (), error: BaseException | None = None) -> None:
        self.results, self.error = results, error


class WorkPool(Generic[T]):
    """A bounded pool. When ``inline`` everything runs at once in the calling thread, and no thread is made.

    The owner hands work out while there is ``room``, and takes results one by one with ``take``. Leaving the
    ``with`` block drops what has not begun, and waits for what has for GRACE_SECONDS at most.
    """

    def __init__(self, workers: int, *, inline: bool | None = None) -> None:
        self._inline: deque[T] | None = deque() if (workers == 1 if inline is None else inline) else None
        self.workers = workers
        self._limit = 1 if self._inline is not None else 2 * workers
        self._threads: list[threading.Thread] = []
        self._todo: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._done: SimpleQueue[_Outcome[T]] = SimpleQueue()
        self.pending = 0

    def __enter__(self) -> WorkPool[T]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            while True:
                self._todo.get_nowait()
        except queue.Empty:
            pass
        for _ in self._threads:
            self._todo.put(None)
        end = time.monotonic() + GRACE_SECONDS
        for thread in self._threads:
            if thread.ident is not None:  # Ctrl-C may have come just before it was started
                thread.join(max(0.0, end - time.monotonic()))

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
        if self._inline is not None:
            self._inline.append(work())
            return
        self._todo.put(work)
        if len(self._threads) < min(self.workers, self.pending):
            thread = threading.Thread(target=self._work, name=f"conductor-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def take(self, timeout: float | None = None) -> T:
        """Wait for the next piece that is done; return its result, or raise what it raised.

        Raises queue.Empty after ``timeout`` seconds, and when woken.
        """
        if self._inline is not None:
            self.pending -= 1
            return self._inline.popleft()
        outcome = self._done.get(timeout=timeout)
        if outcome.error is not None:
            raise outcome.error
        if not outcome.results:
            raise queue.Empty
        self.pending -= 1
        return outcome.results[0]

    def wake(self) -> None:
        """Let a ``take`` that waits return at once. Safe from any thread."""
        self._done.put(_Outcome())

    def _work(self) -> None:
        while (work := self._todo.get()) is not None:
            try:
                outcome = _Outcome((work(),))
            except BaseException as error:  # noqa: BLE001 - raised again by take
                outcome = _Outcome(error=error)
            self._done.put(outcome)


def work_through(
    pool: WorkPool[Then],
    next_work: Callable[[], Work | None],
    *,
    tick: float | None,
    when_quiet: Callable[[], None],
    each_time: Callable[[], None],
) -> None:
    """Coordinate: hand out what ``next_work`` gives, do what each result asks for, until nothing is left to come back.

    ``next_work`` is asked while the pool has room, and says None for nothing at the moment. ``when_quiet`` is called
    when nothing came back for ``tick`` seconds or the pool was woken, ``each_time`` after every result and every such
    moment.
    """
    while True:
        while pool.room and (work := next_work()):
            pool.give(work)
        if not pool.pending:
            return
        try:
            then = pool.take(tick)
        except queue.Empty:
            when_quiet()
        else:
            then()
        each_time()
