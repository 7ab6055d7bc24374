"""A connection on a socket: what it reads without a thread, and how a thread waits for it.

The socket never blocks. Whoever must wait says so to the threads (`threads.Lane`), which go on without it, and waits no
longer than the pace of the transfer allows.
"""

from __future__ import annotations

import socket
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from conductor_mock.serving.framing import BLOCK, DRAIN_BYTES, LINGER_S, Connection, Listener
from conductor_mock.serving.head import Arriving
from conductor_mock.serving.patience import READ, WRITE, Limits, Pace, is_ready
from conductor_mock.serving.threads import Lane

_HEAD_BLOCK = 1 << 16


class SocketConnection(Connection):
    """A connection whose head is collected before a thread sees it."""

    rfile: Reader
    wfile: Writer
    lane: Lane | None = None
    """Whose thread is at it."""

    waits_until = 0.0
    """When it is closed if it still waits for its head (`time.monotonic`)."""

    def __init__(self, server: Listener, sock: socket.socket, limits: Limits) -> None:
        sock.setblocking(False)
        self._limits = limits
        super().__init__(server, sock, self._stream)
        self.renew()

    def _stream(self, _: socket.socket, mode: str, __: int) -> Reader | Writer:
        return Reader(self) if "r" in mode else Writer(self)

    def renew(self) -> None:
        """Be ready for the next request."""
        self.arriving = Arriving(self.server.max_request_header_size)
        self.reading, self.writing = self._pace(), self._pace()

    def _pace(self) -> Pace:
        return Pace(self._limits.client_s, self._limits.least_rate)

    def has_head(self) -> bool:
        """Whether what has come is enough to be read by a thread (`Arriving`). To be asked once after each `take`."""
        return self.arriving.is_enough(self.rfile.data)

    def wait(self, event: int, pace: Pace) -> None:
        """Wait for the client. Raises TimeoutError."""
        began_s = time.monotonic()
        with self.waiting():
            ready = pace.left_s > 0 and is_ready(self.socket, event, pace.left_s)
        pace.waited(time.monotonic() - began_s)
        if not ready:
            raise TimeoutError("timed out")  # the words that cheroot knows a timeout by

    def receive(self, size: int) -> bytes:
        """Some bytes, none at the end of what the client sends. Raises OSError."""
        while True:
            try:
                data: bytes = self.socket.recv(size)
            except BlockingIOError:
                self.wait(READ, self.reading)
            else:
                self.reading.moved(len(data))
                return data

    def send(self, data: memoryview) -> int:
        """Send some of it. Raises OSError."""
        while True:
            try:
                size: int = self.socket.send(data)
            except BlockingIOError:
                self.wait(WRITE, self.writing)
            else:
                self.writing.moved(size)
                return size

    def waiting(self) -> AbstractContextManager[None]:
        """While it is open the thread does nothing, and another one may work in its place."""
        return nullcontext() if self.lane is None else self.lane.waiting()

    def cut(self) -> None:
        """Let whoever reads from the client see an end."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)

    def _linger(self) -> None:
        left = DRAIN_BYTES
        self.reading = Pace(LINGER_S, self._limits.least_rate)
        with suppress(OSError):  # the client is gone
            self.socket.shutdown(socket.SHUT_WR)
            while left > 0 and (block := self.receive(BLOCK)):
                left -= len(block)


class Reader:
    """What a client sends, as cheroot reads it."""

    def __init__(self, connection: SocketConnection) -> None:
        self._connection = connection
        self.data = bytearray()
        """What has come and was not read."""
        self.closed = False

    def take(self) -> bool:
        """Keep what has come, without waiting; False where the client has ended, or is gone."""
        try:
            data = self._connection.socket.recv(_HEAD_BLOCK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.data += data
        return bool(data)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer where the client ends before. Raises OSError."""
        blocks = [bytes(self.data[:size])]
        del self.data[:size]
        left = size - len(blocks[0])
        while left > 0 and (block := self._connection.receive(min(left, BLOCK))):
            blocks.append(block)
            left -= len(block)
        return b"".join(blocks)

    def readline(self, size: int) -> bytes:
        """As far as the end of the line, so many bytes at most. Raises OSError."""
        looked_at = 0
        while (end := self.data.find(b"\n", looked_at, size) + 1) == 0 and len(self.data) < size:
            looked_at = len(self.data)
            block = self._connection.receive(_HEAD_BLOCK)
            if not block:
                break
            self.data += block
        line = bytes(self.data[: end or size])
        del self.data[: len(line)]
        return line

    def has_data(self) -> bool:
        """Whether something has come that was not read."""
        return bool(self.data)

    def close(self) -> None:
        """It is closed with its connection."""
        self.closed = True


class Writer:
    """Where answers are written to."""

    def __init__(self, connection: SocketConnection) -> None:
        self._connection = connection

    def write(self, data: Any) -> int:
        """Send all of it. Raises OSError."""
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                sent += self._connection.send(view[sent:])
        return sent

    def close(self) -> None:
        """It is closed with its connection."""
