"""Connections that another thread can break, so that nobody waits for an answer that is no longer wanted."""

from __future__ import annotations

import http.client
import io
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import urllib3

from conductor.lib.wire.heads import plain_head
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


class _Reader:
    """What an answer is made of, in the place of its socket: it gives the file that the answer is read from."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float]) -> None:
        self._sock, self._clock = sock, clock

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file, which keeps the socket open as those do that a socket gives."""
        self._sock._io_refs += 1  # type: ignore[attr-defined]
        return io.BufferedReader(_Paced(self._sock, self._clock))


WHOLE_BYTES = 256 * 1024
"""Bodies up to this size are sent together with their head."""


# A name and a value that need no other look before they are written.
_PLAIN_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [ -~]*\r\n")


class _InOneSend:
    """A connection that sends a request with a small body, or none, at once instead of head and body one by one.

    Half the calls of the system, and a server that reads the head finds the body there.
    """

    _held: list[bytes] | None = None
    _fields: list[str]

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        """Send a request. Raises what the connection does."""
        if not (body is None or (isinstance(body, bytes) and len(body) <= WHOLE_BYTES)):
            super().request(method, url, body, *args, **kwargs)  # type: ignore[misc]
            return
        held: list[bytes] = []
        self._held, self._fields = held, []
        try:
            super().request(method, url, body, *args, **kwargs)  # type: ignore[misc]
        finally:
            self._held = None
        head = held[0][:-2] + "".join(self._fields).encode("ascii") + b"\r\n" if self._fields else held[0]
        super().send(b"".join([head, *held[1:]]))  # type: ignore[misc]

    def putheader(self, header: str | bytes, *values: Any) -> None:
        """Add a field to the head. Raises ValueError for one that is none."""
        if (
            self._held is not None
            and len(values) == 1
            and isinstance(header, str)
            and isinstance(values[0], str)
        ):
            field = f"{header}: {values[0]}\r\n"
            if _PLAIN_FIELD.fullmatch(field):
                self._fields.append(field)
                return
        super().putheader(header, *values)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        """Send bytes, or keep them until the request is whole."""
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)


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
                # All that it asks of a socket is a file to read from.
                super().__init__(_Reader(sock, noted.clock), *args, **kwargs)  # type: ignore[arg-type]

            def begin(self) -> None:
                if not self._begin_at_once():
                    super().begin()

            def _begin_at_once(self) -> bool:
                """Take a head that came whole, and is as nearly all are, without the parser of mails.

                Says whether it was; else nothing was taken, and http.client reads it line by line.
                """
                plain = None if self._method == "HEAD" else plain_head(self.fp.peek())  # type: ignore[attr-defined]
                if plain is None:
                    return False
                self.fp.read(plain.size)
                self.version, self.status, self.reason = 11, plain.status, plain.reason
                self.code = plain.status
                self.headers = self.msg = plain.headers
                self.chunked, self.will_close, self.length = False, False, plain.length
                return True

        class Plain(_InOneSend, urllib3.connection.HTTPConnection):
            response_class = Response

            def connect(self) -> None:
                super().connect()
                noted.add(self)

        class Secure(_InOneSend, urllib3.connection.HTTPSConnection):
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
