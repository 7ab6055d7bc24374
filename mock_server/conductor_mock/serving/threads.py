"""The threads that answer requests: few work at once, and those that wait for a client are not in the way of others.

A request is answered from its head to its end by one thread. While that waits for the client, or because of a fault, it
costs its stack and nothing else, and another one takes its place; how many there are is bounded by the connections.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

log = logging.getLogger(__name__)

_FIRST = 4
"""Threads of a lane that are there from the start: where no more can be made, these go on."""

_SPARE_S = 5
"""How long a thread beyond those that may work at once waits for work, before it ends."""


_SAY_EVERY_S = 60


class Served(Protocol):
    """A connection with a request to answer."""

    lane: Lane | None

    def communicate(self) -> object:
        """Answer one request; true where the connection is of further use."""

    def cut(self) -> None:
        """Let whoever reads from the client see an end."""

    def close(self) -> None:
        """Close it."""


class Lane:
    """Threads for requests of one kind, of which `most` work at once."""

    def __init__(self, name: str, most: int, give_back: Callable[[Served], None]) -> None:
        """`give_back` takes connections that are of further use."""
        self._name = name
        self._most = most
        self._give_back = give_back
        self._changed = threading.Condition()
        self._queue: deque[Served] = deque()
        self._at_hand: dict[threading.Thread, Served | None] = {}
        self._idle = self._working = 0
        self._ending = self._cutting = False
        self._said_at = -float(_SAY_EVERY_S)

    def __len__(self) -> int:
        """How many connections are with it."""
        return len(self._queue) + len(self._at_hand) - self._idle

    def start(self) -> None:
        """Start the first threads. Raises RuntimeError where there can be no more."""
        with self._changed:
            for _ in range(min(_FIRST, self._most)):
                self._add()

    def put(self, connection: Served) -> None:
        """Answer a request as soon as a thread may."""
        with self._changed:
            connection.lane = self
            self._queue.append(connection)
            self._go_on()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """For a thread of the lane: it does nothing in this block."""
        with self._changed:
            self._working -= 1
            self._go_on()
        try:
            yield
        finally:
            with self._changed:
                self._working += 1

    def has(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of its own."""
        with self._changed:
            return thread in self._at_hand

    def end(self) -> None:
        """Take no more work once the queue is empty."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def cut(self) -> None:
        """Let those who read from a client see an end, now and from now on."""
        with self._changed:
            self._cutting = True
            for connection in self._at_hand.values():
                if connection is not None:
                    connection.cut()

    def join(self, until_s: float | None) -> None:
        """Wait for the end of all threads, at most until then (`time.monotonic`)."""
        while True:
            with self._changed:
                thread = next(iter(self._at_hand), None)
            left_s = None if until_s is None else until_s - time.monotonic()
            if thread is None or (left_s is not None and left_s <= 0):
                return
            thread.join(left_s)

    def _go_on(self) -> None:
        """See to it that what may be worked at is."""
        wanted = min(len(self._queue), self._most - self._working)
        if wanted <= 0:
            return
        if wanted <= self._idle:
            self._changed.notify(wanted)
            return
        try:
            self._add()
        except RuntimeError:  # the first one that is free takes it
            now_s = time.monotonic()
            if now_s - self._said_at >= _SAY_EVERY_S:
                self._said_at = now_s
                log.warning("no thread can be added to the %d that answer %s", len(self._at_hand), self._name)

    def _add(self) -> None:
        thread = threading.Thread(target=self._run, name=f"answers {self._name}", daemon=True)
        self._at_hand[thread] = None
        self._idle += 1
        try:
            thread.start()
        except RuntimeError:
            del self._at_hand[thread]
            self._idle -= 1
            raise

    def _run(self) -> None:
        thread = threading.current_thread()
        while (connection := self._next(thread)) is not None:
            try:
                self._answer(connection)
            finally:
                with self._changed:
                    self._at_hand[thread] = None
                    self._idle += 1
                    self._working -= 1
                    if self._ending:
                        self._changed.notify_all()
                    else:
                        self._go_on()

    def _next(self, thread: threading.Thread) -> Served | None:
        """The next connection; None where this thread is to end."""
        with self._changed:
            while not (self._queue and self._working < self._most):
                is_spare = len(self._at_hand) > self._most
                is_over = self._ending and not self._queue
                if is_over or (not self._changed.wait(_SPARE_S if is_spare else None) and not self._queue):
                    del self._at_hand[thread]
                    self._idle -= 1
                    return None
            connection = self._at_hand[thread] = self._queue.popleft()
            self._idle -= 1
            self._working += 1
            if self._cutting:
                connection.cut()
            return connection

    def _answer(self, connection: Served) -> None:
        stays = False
        try:
            stays = bool(connection.communicate())
        except ConnectionError as error:
            log.info("a client went away: %s", error)
        except BaseException:  # the thread goes on, whatever a request ends with
            log.exception("a request was not answered")
        try:
            if stays:
                connection.lane = None  # it may be in another one's hands before this goes on
                self._give_back(connection)
                return
        except BaseException:  # a thread that ends here would be taken for one that is free
            log.exception("a connection was not kept")
        try:
            connection.close()
        except OSError:
            pass  # it is closed
        except BaseException:
            log.exception("a connection was not closed")


class Threads:
    """The lanes of a server, in the place of cheroot's pool: one for the control plane, one for all other requests."""

    def __init__(self, most: int, most_control: int, give_back: Callable[[Served], None]) -> None:
        self.others = Lane("requests", most, give_back)
        self.control = Lane("the control API", most_control, give_back)
        self._lanes = (self.control, self.others)

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def waiting(self) -> AbstractContextManager[None]:
        """`Lane.waiting` for a thread of one of the lanes; any other thread is in nobody's way."""
        thread = threading.current_thread()
        lane = next((lane for lane in self._lanes if lane.has(thread)), None)
        return nullcontext() if lane is None else lane.waiting()

    def start(self) -> None:
        """Start the first threads. Raises RuntimeError."""
        for lane in self._lanes:
            lane.start()

    def stop(self, timeout: float) -> None:
        """End when all is answered; after so many seconds those who wait to read from their client are cut off."""
        for lane in self._lanes:
            lane.end()
        until_s = time.monotonic() + timeout
        for lane in self._lanes:
            lane.join(until_s)
        for lane in self._lanes:
            lane.cut()
        for lane in self._lanes:
            lane.join(None)
