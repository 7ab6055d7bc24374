"""Troubles that go on, told in the log when they begin, once a minute while they last, and when they are over.

Whoever looks every second at a database that is away would else fill the log with one sentence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

AGAIN_S = 60.0


class Telling:
    """One trouble. Safe in any thread."""

    def __init__(
        self, log: logging.Logger, *, again_s: float = AGAIN_S, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """What is told goes to `log`, the same trouble every `again_s` seconds at most."""
        self._log = log
        self._again_s = again_s
        self._seconds = seconds
        self._guard = threading.Lock()
        self._told_s: float | None = None

    def goes_on(self, message: str, *arguments: object) -> None:
        """It is there: a warning, unless there was one a while ago."""
        now_s = self._seconds()
        with self._guard:
            if self._told_s is not None and now_s - self._told_s < self._again_s:
                return
            self._told_s = now_s
        self._log.warning(message, *arguments)

    def is_over(self, message: str, *arguments: object) -> None:
        """It is not there: told if it was."""
        with self._guard:
            if self._told_s is None:
                return
            self._told_s = None
        self._log.info(message, *arguments)
