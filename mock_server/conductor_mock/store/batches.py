"""What many threads hand in and one writes, several things at a time and in their order: nobody waits for the writing.

For what may be lost with the process, and nothing else: journal and log. Whoever reads what was written has all written
first that was handed in before.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST = 1000
MOST_BYTES = 4 << 20
"""What may wait at most. Whoever hands in more writes all of it: nothing is dropped, and memory has an end."""

GATHER_S = 0.02
"""How long the writer lets things come together."""

_CLOSING_S = 5
"""How long a close waits for the writer."""


class Batches(Generic[T]):
    """Things on their way to `write`, which gets a list of them and handles its errors. Safe in any thread."""

    def __init__(
        self, name: str, write: Callable[[list[T]], None], *, most: int = MOST, gather_s: float = GATHER_S
    ) -> None:
        """The thread that writes is called `name`, and begins when there is something to write."""
        self._name = name
        self._write = write
        self._most = most
        self._gather_s = gather_s
        self.handed_in = 0
        """How many things were handed in since the start; to be read without a lock."""
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: deque[T] = deque()
        self._bytes = 0
        self._there = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def _see_to_forks(self) -> None:
        """A process that was forked off has no writer, and what waits is its parent's to write."""
        if os.getpid() != self._process:
            self._begin()

    def hand_in(self, thing: T, size: int) -> None:
        """Have a thing written soon. `size` is about how many bytes it keeps in memory until then."""
        self._see_to_forks()
        with self._guard:
            self._waiting.append(thing)
            self._bytes += size
            self.handed_in += 1
            is_full = len(self._waiting) > self._most or self._bytes > MOST_BYTES
            if self._thread is None and not self._closing.is_set():
                self._thread = self._started()
            is_alone = self._thread is None
        if is_full or is_alone or self._closing.is_set():
            self.settle()
        elif not self._there.is_set():
            self._there.set()

    def _started(self) -> threading.Thread | None:
        """The thread that writes; None where no more are to be had: whoever hands in then writes, and tries again."""
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def settle(self) -> None:
        """Return when all is written that was handed in before."""
        with self.settled():
            return

    @contextmanager
    def settled(self) -> Iterator[None]:
        """For the block all is written that was handed in before, and nobody writes."""
        self._see_to_forks()
        with self._writing:
            with self._guard:
                things, self._bytes = list(self._waiting), 0
                self._waiting.clear()
            if things:
                self._write(things)
            yield

    def close(self) -> None:
        """Write what waits. What comes later is written at once."""
        self._see_to_forks()
        self._closing.set()
        self._there.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSING_S)
        self.settle()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._there.wait()
            self._closing.wait(self._gather_s)
            self._there.clear()
            try:
                self.settle()
            except Exception:  # the next ones are written all the same
                log.exception("%s: what was to be written is lost", self._name)
