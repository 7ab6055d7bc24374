"""Tries of a secret that were wrong, counted by address and together, so that nobody finds it out by trying."""

from __future__ import annotations

import threading
from collections import Counter

WINDOW_US = 60_000_000
"""Wall time after which the count begins again."""

OF_ONE = 20
"""Wrong tries of one address in that time; then it is refused, whatever it sends."""

OF_ALL = 200
"""Wrong tries of all addresses; then everybody is."""


class Attempts:
    """The wrong tries of one server, from the beginning of the present window. Never more addresses than `OF_ALL`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._begun_us = 0
        self._wrong: Counter[str] = Counter()

    def wait_s(self, address: str, now_us: int) -> int:
        """Seconds that an address has to wait before it may try again; 0 for none."""
        with self._guard:
            # A wall clock that steps back begins a window, too: else nobody would get in until it is there again.
            if not self._begun_us <= now_us < self._begun_us + WINDOW_US:
                self._begun_us = now_us
                self._wrong.clear()
            if self._wrong.get(address, 0) < OF_ONE and self._wrong.total() < OF_ALL:
                return 0
            return -(-(self._begun_us + WINDOW_US - now_us) // 1_000_000)

    def wrong(self, address: str) -> None:
        """One more wrong try of an address that need not wait."""
        with self._guard:
            self._wrong[address] += 1
