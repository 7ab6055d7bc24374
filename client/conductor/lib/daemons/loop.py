"""The loop of a daemon: work while there is some, wait when there is none, wait longer when the server is away."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.exceptions import OutcomeUnknownError, TryAgainError, UnexpectedAnswerError
from conductor.lib.wire.backoff import growing

logger = logging.getLogger(__name__)

# What passes by itself: no answer, "not now", an answer that was lost, the page of a proxy in between.
PASSING = (TryAgainError, OutcomeUnknownError, UnexpectedAnswerError)


@dataclass(frozen=True)
class Pace:
    """How long a daemon waits, in seconds.

    ``idle`` between two questions when there is nothing to do. After the nth failure in a row
    ``first * 2**(n - 1)``, at most ``longest``. Each is drawn from three quarters to five quarters of that, so that
    many daemons do not ask at one moment.
    """

    idle: float = 15.0
    first: float = 2.0
    longest: float = 300.0

    def pause(self, failures: int, draw: Callable[[], float]) -> float:
        """Return the time until the next question; ``draw`` gives a number in [0, 1)."""
        middle = growing(self.first, failures - 1, self.longest) if failures else self.idle
        return middle * (0.75 + 0.5 * draw())


class Daemon:
    """Calls ``work`` again and again: it returns whether there was anything to do.

    ``on_status`` is called with what the daemon is at, in a few words. ``wait`` (seconds), ``draw`` and ``clock``
    (seconds) can be replaced in tests.
    """

    def __init__(
        self,
        work: Callable[[], bool],
        cancellation: Cancellation,
        *,
        pace: Pace | None = None,
        on_status: Callable[[str], None] = lambda _: None,
        wait: Callable[[float], object] | None = None,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._cancellation = work, cancellation
        self._pace = pace or Pace()
        self._on_status = on_status
        self._wait = wait or cancellation.wait
        self._draw, self._clock = draw, clock

    def run(self, *, once: bool = False, max_idle: float | None = None) -> None:
        """Work until cancelled; with ``once`` until nothing is left, with ``max_idle`` until idle for so long.

        Failures that pass by themselves are waited out, but for ``once``; others are raised, as is LoginError.
        """
        failures = 0
        last = self._clock()
        while not self._cancellation.cancelled:
            try:
                busy = self._work()
            except CancelledError:
                return
            except PASSING as error:
                if once:
                    raise
                failures += 1
                logger.warning("%s", error)
            else:
                failures = 0
                if busy:
                    last = self._clock()
                    continue
                if once or (max_idle is not None and self._clock() - last >= max_idle):
                    return
            self._rest(failures)

    def _rest(self, failures: int) -> None:
        pause = self._pace.pause(failures, self._draw)
        self._on_status(
            f"the service is unavailable: next try in {pause:.0f} s" if failures else "waiting for work"
        )
        self._wait(pause)
