"""Between two slices of long work other threads have their turn; what they may want is not locked then."""

from __future__ import annotations

import time
from collections.abc import Callable

from conductor_mock.store import collector

GiveWay = Callable[[], None]

GIVE_WAY_S = 0.001


def give_way() -> None:
    """Let other threads have their turn."""
    time.sleep(GIVE_WAY_S)


def give_way_sparingly() -> None:
    """As `give_way`, for a process of our own: nor shall they wait for the collector, which all threads do."""
    collector.spare_what_is_there()
    time.sleep(GIVE_WAY_S)
