"""How long a client is waited for, and how many of them there may be."""

from __future__ import annotations

import selectors
import socket
from dataclasses import dataclass

from conductor_mock.settings import Settings

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""One that needs no descriptor of its own: many wait at once."""

IDLE_S = 60
"""Between two requests of a connection, and before the first."""

_RESERVED = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What the clients of a server may take, as its settings say."""

    connections: int
    head_s: float
    client_s: float
    least_rate: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            settings.max_connections,
            settings.head_timeout_s,
            settings.client_timeout_s,
            settings.least_rate,
        )

    @property
    def reserved(self) -> int:
        """Connections that are no request yet or one to the control plane: so many have a place in any case."""
        return max(1, min(_RESERVED, self.connections // 4))


class Pace:
    """How much longer a transfer is waited for. Waiting uses it up, bytes that move give it back.

    So neither a silence longer than `patience_s` is borne, nor a rate below `least_rate` for longer than that.
    """

    def __init__(self, patience_s: float, least_rate: int) -> None:
        self._patience_s = self.left_s = patience_s
        self._least_rate = least_rate
        self._since_s: float | None = None

    def begin(self, now_s: float) -> None:
        """From now on it is waited."""
        self._since_s = now_s

    def moved(self, size: int, now_s: float) -> None:
        """So many bytes moved, while it was waited or not."""
        self._count(now_s)
        self.left_s = min(self._patience_s, self.left_s + size / self._least_rate)

    def end(self, now_s: float) -> None:
        """It is waited no more."""
        self._count(now_s)
        self._since_s = None

    def _count(self, now_s: float) -> None:
        if self._since_s is not None:
            self.left_s -= now_s - self._since_s
            self._since_s = now_s


def is_ready(sock: socket.socket, event: int, seconds: float) -> bool:
    """Wait until a socket can be read from (READ) or written to (WRITE), at most so long."""
    with _Selector() as selector:
        selector.register(sock, event)
        return bool(selector.select(seconds))
