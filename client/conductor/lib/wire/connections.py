"""Connections that another thread can break, so that nobody waits for an answer that is no longer wanted."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter

from conductor.lib.wire.limits import LEAST_BYTES_PER_SECOND


class _Paced(socket.SocketIO):
    """Reads one answer, and gives it up when it comes too slowly to ever end."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float]) -> None:
        super().__init__(sock, "r")
        self._clock, self._begun, self._received = clock, clock(), 0
        self._patience = sock.gettimeout()

    def readinto(self, buffer: Any) -> int | None:
        """Read as a socket does. Raises the timeout of sockets."""
        count = super().readinto(buffer)
        self._received += count or 0
        if self._patience is not None:
            allowed = 2 * self._patience + self._received / LEAST_BYTES_PER_SECOND
            if self._clock() - self._begun > allowed:
                raise socket.timeout(f"only {self._received} bytes came in {allowed:.0f} s")
        return count


class OpenConnections:
    """The connections that were made through the adapters of one transport.

    Each answer has twice the time that its socket has for one read, and a second for every ``LEAST_BYTES_PER_SECOND``
    that came, so that every call ends. ``clock`` is in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._connections: WeakSet[urllib3.connection.HTTPConnection] = WeakSet()
        self._broken = False
        self.pool_classes = self._make_pool_classes()

    def add(self, connection: urllib3.connection.HTTPConnection) -> None:
        """Take note of a connection that was just made; break it if the others were broken before."""
        with self._lock:
            self._connections.add(connection)
            broken = self._broken
        if broken:
            _shut_down(connection)

    def break_all(self) -> None:
        """Let whoever reads from or writes to any of them, now or later, fail at once."""
        with self._lock:
            self._broken = True
            connections = list(self._connections)
        for connection in connections:
            _shut_down(connection)

    def _make_pool_classes(self) -> dict[str, type[urllib3.HTTPConnectionPool]]:
        """Return kinds of pools, by scheme, whose connections are noted here."""
        noted = self

        class Response(http.client.HTTPResponse):
            def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
                super().__init__(sock, *args, **kwargs)
                whole = self.fp
                self.fp = io.BufferedReader(_Paced(sock, noted.clock))
                sock._io_refs += 1  # type: ignore[attr-defined]  # as makefile does for whom it makes one
                whole.close()

        class Plain(urllib3.connection.HTTPConnection):
            response_class = Response

            def connect(self) -> None:
                super().connect()
                noted.add(self)

        class Secure(urllib3.connection.HTTPSConnection):
            response_class = Response

            def connect(self) -> None:
                super().connect()
                noted.add(self)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}


def _shut_down(connection: urllib3.connection.HTTPConnection) -> None:
    sock = connection.sock
    if isinstance(sock, socket.socket):
        # Of the class itself: that of TLS sockets would end the session under the hands of the thread that uses it.
        with suppress(OSError):  # closed in the meantime
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Adapter(HTTPAdapter):
    """The adapter of one session: one connection for each origin, sent through in blocks of ``block_bytes``."""

    def __init__(self, connections: OpenConnections, block_bytes: int) -> None:
        self._pool_classes = connections.pool_classes
        self._block_bytes = block_bytes
        super().__init__(pool_connections=8, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools' manager."""
        super().init_poolmanager(*args, blocksize=self._block_bytes, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the manager for a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager


class Session(requests.Session):
    """A session that knows which origins it holds an idle connection to."""

    def __init__(self, connections: OpenConnections, sent_bytes: int) -> None:
        super().__init__()
        self.trust_env = False
        self.used: set[str] = set()
        adapter = Adapter(connections, sent_bytes)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
