"""A limit for what a run of requests takes in all, whatever the other side does.

The timeouts of a socket limit one wait for it; a server that sends a byte every minute keeps them all.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import TIMEOUT_MAX, Lock, Timer
from typing import Any
from weakref import WeakSet

import urllib3
from requests import RequestException
from requests.adapters import HTTPAdapter

LATER_S = 0.5
"""By so much the wait for a socket is longer than what is left, so that it never ends before that, by a rounding."""


class OutOfTime(Exception):
    """The limit is over; the message says which it was."""


class TimeLimit:
    """So many seconds from now on, infinitely many for no limit. ``clock`` is in seconds.

    A request through `adapter` is broken off in the end; through another one it ends with the wait for its socket.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.reason = f"the {seconds:g} s that it may take in all (--timeout) are over"
        """What is said to whom it ends."""
        self.was_met = False
        """Whether it ended a request, or one was not begun for it."""
        self._clock = clock
        self._end = self._last = clock() + seconds
        self._has_adapter = False
        self._connections: WeakSet[urllib3.connection.HTTPConnection] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()

    @property
    def is_over(self) -> bool:
        """Whether the time is up, extended or not."""
        return self._clock() >= self._end

    def extend(self, seconds: float) -> None:
        """Let requests be made for so long from now on, at least, to put in order what was begun."""
        self._last = max(self._last, self._clock() + seconds)

    @contextmanager
    def request(self, longest_s: float) -> Iterator[float]:
        """Give one request what is left; the value is how long it may wait for its socket. Raises OutOfTime."""
        left = self._last - self._clock()
        if left <= 0:
            raise self._out_of_time()
        try:
            with self._broken_after(left):
                yield min(longest_s, left + LATER_S)
        except RequestException:
            if self._clock() < self._last:
                raise
            raise self._out_of_time() from None
        if self._clock() >= self._last:  # what came may be the part that had come
            raise self._out_of_time()

    def adapter(self) -> HTTPAdapter:
        """An adapter whose connections are broken when a request has had its time."""
        self._has_adapter = True
        return _Adapter(self._pool_classes())

    def _out_of_time(self) -> OutOfTime:
        self.was_met = True
        return OutOfTime(self.reason)

    @contextmanager
    def _broken_after(self, seconds: float) -> Iterator[None]:
        if not self._has_adapter:
            yield
            return
        timer = Timer(min(seconds, TIMEOUT_MAX), self._break_connections)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _break_connections(self) -> None:
        with self._lock:
            connections, sockets = list(self._connections), list(self._sockets)
        for sock in (*(connection.sock for connection in connections), *sockets):
            if isinstance(sock, socket.socket):
                # Of the class itself: that of TLS would end the session under the hands of who uses it.
                with suppress(OSError):  # closed in the meantime
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _connect(self, connection: urllib3.connection.HTTPConnection, connect: Callable[[], None]) -> None:
        """Note a connection for as long as it shakes hands, and its socket, which may outlive it in an answer."""
        with self._lock:
            self._connections.add(connection)
        connect()
        with self._lock:
            if isinstance(connection.sock, socket.socket):
                self._sockets.add(connection.sock)

    def _pool_classes(self) -> dict[str, type[urllib3.HTTPConnectionPool]]:
        through = self._connect

        class Plain(urllib3.connection.HTTPConnection):
            def connect(self) -> None:
                through(self, super().connect)

        class Secure(urllib3.connection.HTTPSConnection):
            def connect(self) -> None:
                through(self, super().connect)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}


class _Adapter(HTTPAdapter):
    def __init__(self, pool_classes: dict[str, type[urllib3.HTTPConnectionPool]]) -> None:
        self._pool_classes = pool_classes
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The pools of connections by a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager
