"""Wall time, which is handed to whoever needs it."""

from __future__ import annotations

import time
from collections.abc import Callable

WallClock = Callable[[], int]
"""Gives microseconds since the epoch."""


def wall_us() -> int:
    """Wall time in microseconds since the epoch."""
    return time.time_ns() // 1000
