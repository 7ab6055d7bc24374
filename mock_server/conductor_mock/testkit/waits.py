"""Waits that are counted instead of slept."""

from __future__ import annotations

import math
import time
from threading import Lock

from conductor_mock.testkit.steering import Clock

MOST_S = 24 * 3600
"""A test that waits for longer waits for what does not happen."""


class Waits:
    """Time that passes by being waited for. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.most = MOST_S
        """Seconds: who waits for more in all is failed."""
        self._waits: list[float] = []
        self._lock = Lock()

    @property
    def all(self) -> tuple[float, ...]:
        """Every wait, in seconds, in its order."""
        with self._lock:
            return tuple(self._waits)

    @property
    def seconds(self) -> float:
        """How long was waited in all."""
        return math.fsum(self.all)

    def sleep(self, seconds: float) -> None:
        """Count a wait, and let so much simulated time pass for the fake: what is waited for may come of it.

        Raises AssertionError when all waits come to more than `most`.
        """
        with self._lock:
            self._waits.append(seconds)
            waited = math.fsum(self._waits)
        if waited > self.most:
            raise AssertionError(
                f"{waited:.0f} s of waiting, and what is waited for has not come; fake.job(jid) shows what holds it, "
                "and fake.waits.most is how long may be waited in all"
            )
        self._clock.advance(max(0.0, seconds))

    def monotonic(self) -> float:
        """Seconds since the beginning, as `time.monotonic` has them."""
        return self.seconds

    def now(self) -> float:
        """Seconds since the epoch: wall time, and what was waited."""
        return time.time() + self.seconds
