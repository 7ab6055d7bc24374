"""A connection in memory: urllib3 at one end, cheroot's reading of requests at the other, no socket and no thread.

What the client sends is kept until it wants the answer; then the request is served, in the client's thread, by the code
that serves a socket. So nothing waits, and what would have is counted: a client whose timeout is shorter than what the
service takes its time for gets the error that it would have got.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import threading
from collections.abc import Callable
from enum import Enum
from tempfile import TemporaryFile
from typing import IO, Any

from conductor_mock.serving.framing import Body, Connection, Listener
from conductor_mock.serving.server import Drain, configure
from conductor_mock.serving.wire import SocketWire
from conductor_mock.settings import CLIENT_TIMEOUT_S
from conductor_mock.wire.answer import App

IN_MEMORY_BYTES = 1 << 20
"""Of a request or an answer; what is longer lies in a temporary file."""


class MemoryListener(Listener):
    """cheroot's server of an app, bound to nothing."""

    can_add_keepalive_connection = True

    def __init__(self, app: App, address: tuple[str, int]) -> None:
        super().__init__(address, Drain(app, _wire), timeout=CLIENT_TIMEOUT_S, server_name="127.0.0.1")
        configure(self)


class MemoryWire(SocketWire):
    """A way back on which nothing waits."""

    def hold_back(self, seconds: float) -> bool:
        """Count what the client would have waited; False when it would have gone away."""
        self._body.drain()
        return bool(self._connection.socket.wait(seconds))


def _wire(connection: Connection, body: Body) -> MemoryWire:
    return MemoryWire(connection, body, stopping=threading.Event())


class End(Enum):
    """How the client sees the end of a connection."""

    CLOSED = "closed"
    RESET = "reset"
    TIMED_OUT = "timed out"


class MemorySocket:
    """The client's end, as http.client and urllib3 use one of the `socket` module."""

    def __init__(self, listener: MemoryListener) -> None:
        self._sent, self._answered = _Pipe(), _Pipe()
        self._end: End | None = None
        self._is_open = True
        self._timeout: float | None = None
        self._server = Connection(listener, _ServersEnd(self), makefile=_makefile)

    @property
    def is_connected(self) -> bool:
        """Whether another request can be sent."""
        return self._is_open and self._end is None

    def sendall(self, data: Any) -> None:
        """Keep it for the server. Raises BrokenPipeError when that has hung up."""
        if self._end is not None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        self._sent.write(bytes(data))

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """The answers, to be read."""
        return io.BufferedReader(_Answers(self))

    def settimeout(self, seconds: float | None) -> None:
        """How long the client waits for the next bytes; None: for ever."""
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        return self._timeout

    def setsockopt(self, *_: Any) -> None:
        """There is nothing to set."""

    def shutdown(self, _: int) -> None:
        """See `close`."""

    def close(self) -> None:
        """Go away. A request that was begun reaches the server as far as it came."""
        if not self._is_open:
            return
        self._is_open = False
        if self._end is None:
            if self._sent:
                self._communicate()
            self._server.close()

    def receive(self, size: int) -> bytes:
        """The next bytes of an answer, none at the end. Raises ConnectionResetError, TimeoutError."""
        if not self._answered and self._end is None:
            self._serve()
        if data := self._answered.read(size):
            return data
        if self._end is End.RESET:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if self._end is End.CLOSED:
            return b""
        raise TimeoutError("timed out")

    def _serve(self) -> None:
        """Let the server answer what was sent. Where nothing was, the client waits for nothing."""
        if self._sent and not self._communicate():
            self._server.close()

    def _communicate(self) -> bool:
        """Let the server read a request and answer it; False when it is to hang up."""
        return bool(self._server.communicate())  # type: ignore[no-untyped-call]

    # What the server's end does

    def wait(self, seconds: float) -> bool:
        """Let so much time pass without a byte for the client. False when it is gone, or its timeout was shorter."""
        if self._is_open and self._end is None and self._timeout is not None and seconds >= self._timeout:
            self._end = End.TIMED_OUT
        return self._is_open and self._end is None

    def take(self, read: Callable[[_Pipe], bytes], is_whole: Callable[[bytes], bool]) -> bytes:
        """What the client has sent. What it never sends, the server waits for as long as for any client."""
        data = read(self._sent)
        if not is_whole(data) and self._is_open:
            self.wait(CLIENT_TIMEOUT_S)
            raise TimeoutError("timed out")
        return data

    def answer(self, data: bytes) -> None:
        """Send to the client. Raises BrokenPipeError when it has gone away."""
        if not self._is_open or self._end is not None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        self._answered.write(data)

    def end(self, how: End) -> None:
        """Close, if it is not closed."""
        self._end = self._end or how


class _ServersEnd:
    """The server's end, as cheroot and `serving` use a socket."""

    def __init__(self, client: MemorySocket) -> None:
        self.client = client
        self.wait = client.wait

    def setsockopt(self, _: int, option: int, __: bytes) -> None:
        """Linger for no time: the way to break a connection."""
        if option == socket.SO_LINGER:
            self.client.end(End.RESET)

    def shutdown(self, _: int) -> None:
        """See `close`."""

    def settimeout(self, _: float) -> None:
        """Nothing waits."""

    def recv(self, _: int) -> bytes:
        """Nothing is under way: all that the client sent before it wanted an answer is here."""
        return b""

    def close(self) -> None:
        self.client.end(End.CLOSED)


class _Requests:
    """What the client sends, as the server reads it."""

    def __init__(self, client: MemorySocket) -> None:
        self._client = client

    def read(self, size: int = -1) -> bytes:
        return self._client.take(lambda sent: sent.read(size), lambda data: 0 <= size <= len(data))

    def readline(self, size: int = -1) -> bytes:
        return self._client.take(
            lambda sent: sent.readline(size), lambda data: data.endswith(b"\n") or 0 <= size <= len(data)
        )

    def close(self) -> None:
        """It is closed with its connection."""


class _Writer:
    """Where the server writes answers to."""

    def __init__(self, client: MemorySocket) -> None:
        self._client = client

    def write(self, data: bytes) -> int:
        self._client.answer(data)
        return len(data)

    def close(self) -> None:
        """It is closed with its connection."""


def _makefile(end: _ServersEnd, mode: str, _: int) -> _Requests | _Writer:
    return _Requests(end.client) if "r" in mode else _Writer(end.client)


class _Answers(io.RawIOBase):
    """The answers of a connection, as the client reads them."""

    def __init__(self, client: MemorySocket) -> None:
        self._client = client

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._client.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Pipe:
    """Bytes, in the order in which they were written; many of them on disk."""

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._read = self._written = 0

    def __bool__(self) -> bool:
        return self._read < self._written

    def write(self, data: bytes) -> None:
        written = self._written + len(data)
        if written > IN_MEMORY_BYTES and isinstance(self._file, io.BytesIO):
            self._file = _on_disk(self._file)
        self._file.seek(self._written)
        self._file.write(data)
        self._written = written

    def read(self, size: int) -> bytes:
        """At most so many bytes, all for a negative number."""
        self._file.seek(self._read)
        return self._taken(self._file.read(size))

    def readline(self, size: int) -> bytes:
        """As far as the end of the line, or so many bytes."""
        self._file.seek(self._read)
        return self._taken(self._file.readline(size))

    def _taken(self, data: bytes) -> bytes:
        self._read += len(data)
        if data and not self:  # what was read takes no room
            self._file.close()
            self._file = io.BytesIO()
            self._read = self._written = 0
        return data


def _on_disk(memory: io.BytesIO) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115 - it is closed when all of it was read, or goes with its connection
    file.write(memory.getbuffer())
    return file
