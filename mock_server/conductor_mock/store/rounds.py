"""What a server does again and again in a thread of its own, between its start and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable

_LAST_S = 5
"""How long a stop waits for a round under way."""


class Rounds:
    """Calls a function again and again, from `start` to `close`; again after another `start`."""

    def __init__(self, name: str, once: Callable[[threading.Event], float], *, first_s: float = 0) -> None:
        """The first call is after `first_s` seconds, the next after as many as `once` answers.

        It raises nothing, and is given what is set when it should come to its end.
        """
        self._name = name
        self._once = once
        self._first_s = first_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._stop = threading.Event()  # a round that was given up must not go on
        thread = threading.Thread(
            target=self._run, args=(self._stop,), name=f"conductor-mock {self._name}", daemon=True
        )
        thread.start()
        self._thread = thread  # one that could not be started is not waited for

    def close(self) -> None:
        """Call no more; wait a little for the round under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_LAST_S)

    def _run(self, stop: threading.Event) -> None:
        wait_s = self._first_s
        while not stop.wait(wait_s):
            wait_s = self._once(stop)
