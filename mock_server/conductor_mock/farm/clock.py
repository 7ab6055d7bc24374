"""Simulated time: an integer of microseconds since the epoch, anchored to wall time by a command."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone

SECOND = 1_000_000
ONE = 1_000_000
"""A speed of 1 in millionths; speeds are integers so that a replay computes the same microsecond everywhere."""

MAX_ADVANCE_S = 10 * 366 * 24 * 3600
MAX_SPEED = 1_000_000

LAST_US = 253_402_300_799 * SECOND
"""The last second of the year 9999, where simulated time stands still: dates cannot be written beyond it."""


class ClockError(ValueError):
    """A move of the clock that is refused: negative, not finite, or too large."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where simulated time stood at one moment of wall time, and how fast it runs since."""

    wall_us: int
    sim_us: int
    speed_millionths: int = ONE

    def at(self, wall_us: int) -> int:
        """Simulated microseconds at `wall_us`; a wall clock that stepped back counts as standing still."""
        elapsed = max(0, wall_us - self.wall_us)
        return min(self.sim_us + elapsed * self.speed_millionths // ONE, LAST_US)


def advance_us(seconds: float) -> int:
    """`seconds` of an advance as microseconds. Raises ClockError for what is negative, not finite or over ten years."""
    if not math.isfinite(seconds):
        raise ClockError(f"must be a finite number of seconds, got {seconds}")
    if seconds < 0:
        raise ClockError(f"must not be negative, got {seconds:g}: simulated time never goes back")
    if seconds > MAX_ADVANCE_S:
        raise ClockError(f"must be at most {MAX_ADVANCE_S} (ten years), got {seconds:g}")
    return round(seconds * SECOND)


def speed_millionths(speed: float) -> int:
    """A speed (simulated seconds per wall second, 0 is frozen) in millionths. Raises ClockError when out of range."""
    if not math.isfinite(speed) or speed < 0 or speed > MAX_SPEED:
        raise ClockError(f"must be a number from 0 (frozen) to {MAX_SPEED}, got {speed:g}")
    return round(speed * ONE)


def iso(t_us: int) -> str:
    """`t_us` as ISO 8601 UTC text with whole seconds, such as `2026-11-22T14:05:00Z`."""
    return datetime.fromtimestamp(t_us // SECOND, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
