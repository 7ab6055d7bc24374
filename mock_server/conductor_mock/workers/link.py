"""What ties a worker to the process that started it: a pipe up, and one down on which nothing is ever said.

The end of the first tells that the worker is gone, the end of the other that the parent is. The kernel closes both,
whatever became of the process.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any


class Link:
    """A worker's ends of the two pipes."""

    def __init__(self, number: int, up: int, down: int) -> None:
        """`number` is the worker's place, from 0; one that is started again has that of the one before."""
        self.number = number
        self._up = up
        self._down = down

    def tell(self, document: Mapping[str, Any]) -> None:
        """Say that it accepts connections, and how it is reached."""
        os.write(self._up, json.dumps(document).encode("ascii") + b"\n")

    def when_alone(self, act: Callable[[], None]) -> None:
        """Call `act`, in another thread, once the parent is gone."""

        def wait() -> None:
            if not os.read(self._down, 1):
                act()

        threading.Thread(target=wait, name="conductor-mock parent", daemon=True).start()
