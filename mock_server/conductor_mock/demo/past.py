"""A wall clock that can be set back, so that what is done now happened hours ago."""

from __future__ import annotations

from conductor_mock.farm.clock import SECOND
from conductor_mock.store.wall import WallClock, wall_us


class Past:
    """Wall time as a server is given it: behind the real one, by less and less, until both are the same."""

    def __init__(self, real: WallClock = wall_us) -> None:
        self._real = real
        self._behind_us = 0

    def now_us(self) -> int:
        """Microseconds since the epoch, by this clock."""
        return self._real() - self._behind_us

    def set_back(self, hours: float) -> None:
        """Let it be so many hours ago; 0 is the present."""
        self._behind_us = round(hours * 3600 * SECOND)
