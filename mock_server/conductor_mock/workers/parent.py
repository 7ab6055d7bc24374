"""The process that starts workers, starts one again that dies, and ends them all when it is to end.

It serves nothing and has no threads, so that a worker can be forked off at any time: the modules are imported once for
all of them.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from conductor_mock.serving.signals import ENDING, EndingSignals
from conductor_mock.workers.link import Link

log = logging.getLogger(__name__)

Work = Callable[[Link], int]
"""What a worker does, until a signal ends it; its exit code."""

MOST_DEATHS = 10
WITHIN_S = 60.0
"""So many deaths of workers in that time are too many: the next one would die, too."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
"""How long one waits that could not begin, twice as long each time: what it needs may be away for a while."""


class WorkersError(Exception):
    """The workers cannot go on; the text says why, `code` is that of the one that could not begin."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int
    up: int
    """Where it tells that it is ready, and that it is gone."""
    told: dict[str, Any] | None = None
    read: bytes = b""


class Workers:
    """So many workers. In the main thread of a process that has no other one; close it."""

    def __init__(
        self,
        count: int,
        work: Work,
        signals: EndingSignals,
        *,
        end_s: float,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`end_s` is how long workers that were told to end may take."""
        self._count = count
        self._work = work
        self._signals = signals
        self._end_s = end_s
        self._seconds = seconds
        self._selector = selectors.DefaultSelector()
        self._selector.register(signals, selectors.EVENT_READ)
        self._there: dict[int, _Worker] = {}
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._failed: Counter[int] = Counter()
        """How often in a row each place had one that could not begin."""
        self._due_s: dict[int, float] = {}
        """The places that wait for another one, and until when."""
        self._down, self._alive = os.pipe()  # whose other end no worker has: it ends with us

    def start(self) -> dict[str, Any] | None:
        """Start the first worker, which prepares what all share, then the others; what the first one tells of itself.

        None where a signal came first. Raises WorkersError for one that could not begin.
        """
        first = self._fork(0)
        if not self._wait_until(lambda: first.told is not None, may_die=False):
            return None
        for number in range(1, self._count):
            self._fork(number)
        if not self._wait_until(self._all_ready, may_die=False):
            return None
        return first.told

    def watch(self) -> None:
        """Start workers again that die, until a signal comes. Raises WorkersError where too many do.

        One that cannot begin, as while the database is away, is tried again and again as long as another one serves.
        """
        self._wait_until(lambda: False, may_die=True)

    def pids(self) -> list[int]:
        """The processes of the workers, in their order."""
        return [worker.pid for worker in sorted(self._there.values(), key=lambda worker: worker.number)]

    def close(self) -> None:
        """End all workers, in order; those that do not end in time are killed. Signals that come are told to them."""
        for worker in self._there.values():
            self._send(worker, signal.SIGTERM)
        until_s = self._seconds() + self._end_s
        while self._there:
            left_s = until_s - self._seconds()
            if left_s <= 0:
                log.warning("%d workers did not end in %g s, and are killed", len(self._there), self._end_s)
                for worker in self._there.values():
                    self._send(worker, signal.SIGKILL)
                left_s = self._end_s
            for key, _ in self._selector.select(left_s):
                if key.data is None:
                    self._signals.next()
                    for worker in self._there.values():
                        self._send(worker, signal.SIGTERM)
                elif self._read(key.data):
                    self._bury(key.data)
        self._selector.close()
        os.close(self._alive)
        os.close(self._down)

    def _all_ready(self) -> bool:
        told = [worker.told for worker in self._there.values() if worker.told is not None]
        return len(told) == self._count

    def _wait_until(self, holds: Callable[[], bool], *, may_die: bool) -> bool:
        """Look after the workers until it holds (True) or a signal came (False)."""
        while not holds():
            self._selector.select(self._until_due_s())
            # Looked at again: one that came to all of us, as from a terminal, may have ended a worker before it is told
            # to us, and that is no death to be told.
            ready = [key.data for key, _ in self._selector.select(0)]
            if None in ready:
                self._signals.next()
                return False
            for worker in ready:
                if self._read(worker):
                    self._gone(worker, self._bury(worker), may_die=may_die)
            for number in [place for place, at_s in self._due_s.items() if at_s <= self._seconds()]:
                del self._due_s[number]
                self._start_again(number)
        return True

    def _until_due_s(self) -> float | None:
        """Seconds until the next place that waits is to have another one."""
        return max(0.0, min(self._due_s.values()) - self._seconds()) if self._due_s else None

    def _gone(self, worker: _Worker, code: int, *, may_die: bool) -> None:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        what = f"worker {worker.number} (process {worker.pid}) {how}"
        if not may_die:
            raise WorkersError(f"{what} before it was ready", 128 - code if code < 0 else code or 1)
        now_s = self._seconds()
        was_ready = worker.told is not None
        if was_ready or not any(other.told is not None for other in self._there.values()):
            if len(self._deaths) == MOST_DEATHS and now_s - self._deaths[0] < WITHIN_S:
                message = (
                    f"{what}, and {MOST_DEATHS} others did in the last {WITHIN_S:g} s; no more are started"
                )
                raise WorkersError(message, 1)
            self._deaths.append(now_s)
        if was_ready:
            log.warning("%s; another one is started in its place", what)
            self._start_again(worker.number)
        else:
            self._start_later(worker.number, f"{what} before it was ready")

    def _start_again(self, number: int) -> None:
        try:
            self._fork(number)
        except OSError as error:  # too many processes or open files: the others go on
            self._start_later(number, f"worker {number} cannot be started ({error.strerror or error})")

    def _start_later(self, number: int, what: str) -> None:
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._failed[number], 10))
        self._failed[number] += 1
        self._due_s[number] = self._seconds() + pause_s
        log.warning("%s; another one is started in %g s", what, pause_s)

    def _fork(self, number: int) -> _Worker:
        read, write = os.pipe()
        # A signal that comes in between would be told to the parent, by the child.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            pid = os.fork()
            if not pid:
                self._be_worker(Link(number, write, self._down), read, mask)
        except OSError:
            os.close(read)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(write)
        worker = self._there[number] = _Worker(number, pid, read)
        self._selector.register(read, selectors.EVENT_READ, worker)
        return worker

    def _be_worker(self, link: Link, read: int, mask: set[int | signal.Signals]) -> NoReturn:
        """The child's whole life: it never comes back into the parent's."""
        code = 1
        try:
            self._signals.forget()
            self._selector.close()
            for handle in (read, self._alive, *(worker.up for worker in self._there.values())):
                os.close(handle)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self._work(link)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            log.exception("worker %d is defective", link.number)
        finally:
            logging.shutdown()
            os._exit(code)

    def _read(self, worker: _Worker) -> bool:
        """Take what a worker tells; whether it is gone."""
        data = os.read(worker.up, 1 << 16)
        worker.read += data
        if worker.told is None and worker.read.endswith(b"\n"):
            worker.told = json.loads(worker.read)
            del self._failed[worker.number]
        return not data

    def _bury(self, worker: _Worker) -> int:
        self._selector.unregister(worker.up)
        os.close(worker.up)
        del self._there[worker.number]
        _, status = os.waitpid(worker.pid, 0)
        return os.waitstatus_to_exitcode(status)

    @staticmethod
    def _send(worker: _Worker, number: signal.Signals) -> None:
        os.kill(worker.pid, number)  # it is there until it is buried, dead or alive
