"""Tries of a secret that were wrong, counted by address and together, so that nobody finds it out by trying."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

WINDOW_US = 60_000_000
"""Wall time after which the count begins again."""

OF_ONE = 20
"""Wrong tries of one address in that time; then it is refused, whatever it sends."""

OF_ALL = 200
"""Wrong tries of all addresses; then everybody is."""


class WrongTries(Protocol):
    """The wrong tries since the present window began, of one server or of all that share them. Safe in any thread."""

    def counted(self, address: str) -> tuple[int, int, int]:
        """When the window began (wall microseconds), and the tries of one address and of all."""

    def begin(self, before_us: int, now_us: int) -> None:
        """Begin a window without any, unless somebody did since that of `before_us`."""

    def add(self, address: str) -> None:
        """One more."""


@dataclass(slots=True)
class Attempts:
    """Who has to wait for how long."""

    tries: WrongTries

    def wait_s(self, address: str, now_us: int) -> int:
        """Seconds that an address has to wait before it may try again; 0 for none."""
        begun_us, of_one, of_all = self.tries.counted(address)
        # A wall clock that steps back begins a window, too: else nobody would get in until it is there again.
        if not begun_us <= now_us < begun_us + WINDOW_US:
            self.tries.begin(begun_us, now_us)
            return 0
        if of_one < OF_ONE and of_all < OF_ALL:
            return 0
        return -(-(begun_us + WINDOW_US - now_us) // 1_000_000)

    def wrong(self, address: str) -> None:
        """One more wrong try of an address that need not wait: so there are never more addresses than `OF_ALL`."""
        self.tries.add(address)


class OwnTries:
    """Those of a server that is alone."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._begun_us = 0
        self._wrong: Counter[str] = Counter()

    def counted(self, address: str) -> tuple[int, int, int]:
        with self._guard:
            return self._begun_us, self._wrong.get(address, 0), self._wrong.total()

    def begin(self, before_us: int, now_us: int) -> None:
        with self._guard:
            if self._begun_us == before_us:
                self._begun_us = now_us
                self._wrong.clear()

    def add(self, address: str) -> None:
        with self._guard:
            self._wrong[address] += 1
