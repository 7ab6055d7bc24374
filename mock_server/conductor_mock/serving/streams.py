"""A connection on a socket: what it reads without a thread, and how a thread waits for it.

The socket never blocks. A thread that must wait says so to the others (`threads.Lane`), which go on without it, and
waits no longer than the pace of the transfer allows. After a moment it lets the one thread that looks after all
connections (`accepting.Waiting`) read or write for it, so that it is not woken by each byte of a client that sends one
a second.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol

from conductor_mock.serving.events import EventStreams, Stream
from conductor_mock.serving.framing import BLOCK, DRAIN_BYTES, LINGER_S, Connection, Listener
from conductor_mock.serving.head import Arriving, RequestLine
from conductor_mock.serving.patience import READ, WRITE, Limits, Pace, is_ready
from conductor_mock.serving.threads import Lane

_HEAD_BLOCK = 1 << 16

_ENOUGH = 1 << 14
"""Bytes of a body for which a thread is woken that waits for more."""

_JOINED = 1 << 16
"""Bytes of a body that are copied, so that a head is sent with them; of larger ones a second call costs less."""

_MOMENT_S = 0.02
"""How long a thread waits by itself: for clients that are merely not as fast as it is."""


class Parking(Protocol):
    """Who reads and writes for threads that wait."""

    events: EventStreams

    def park(self, sock: socket.socket, event: int, step: Callable[[], bool], seconds: float) -> None:
        """Call `step` whenever the socket is ready, until it is true or the time is over. It must not wait."""


class SocketConnection(Connection):
    """A connection whose head is collected before a thread sees it."""

    rfile: Reader
    wfile: Writer
    lane: Lane | None = None
    """Whose thread is at it."""

    stream: Stream | None = None
    """Whose events it gets, once its request was answered with one."""

    waits_until = 0.0
    """When it is closed if it still waits for its head (`time.monotonic`)."""

    def __init__(self, server: Listener, sock: socket.socket, limits: Limits, parking: Parking) -> None:
        sock.setblocking(False)
        self.parking = parking
        self._limits = limits
        super().__init__(server, sock, self._stream)
        self.renew()

    def _stream(self, _: socket.socket, mode: str, __: int) -> Reader | Writer:
        return Reader(self) if "r" in mode else Writer(self)

    def renew(self) -> None:
        """Be ready for the next request."""
        usual = b"" if self.recurring is None else self.recurring.block
        self.arriving = Arriving(self.server.max_request_header_size, usual)
        self.reading, self.writing = self._pace(), self._pace()

    def _pace(self) -> Pace:
        return Pace(self._limits.client_s, self._limits.least_rate)

    def has_head(self) -> bool:
        """Whether what has come is enough to be read by a thread (`Arriving`). To be asked once after each `take`."""
        return self.arriving.is_enough(self.rfile.data)

    def arrived(self) -> tuple[RequestLine, bytes] | None:
        """The line and the fields of the head, if it is whole and may be one; they are read with it."""
        line, begin, end = self.arriving.line, self.arriving.fields_at, self.arriving.end
        if line is None or not end:
            return None
        block = bytes(self.rfile.data[begin:end])
        del self.rfile.data[:end]
        return line, block

    def wait_to_read(self, is_enough: Callable[[], bool]) -> None:
        """Wait until the client has sent something, or it has ended; maybe until that `is_enough`.

        What comes meanwhile may be in `rfile.data` already. Raises TimeoutError.
        """
        self._wait(READ, self.reading, lambda: not self.rfile.take() or is_enough())

    def wait_to_write(self, data: memoryview) -> int:
        """Wait until the client takes more; how much of `data` was sent meanwhile. Raises TimeoutError."""
        sent = 0

        def send() -> bool:
            nonlocal sent
            try:
                size: int = self.socket.send(data[sent:])
            except BlockingIOError:
                return False
            except OSError:  # the thread will see it, too
                return True
            self.writing.moved(size, time.monotonic())
            sent += size
            return sent == len(data)

        self._wait(WRITE, self.writing, send)
        return sent

    def _wait(self, event: int, pace: Pace, step: Callable[[], bool]) -> None:
        with self.waiting():
            pace.begin(time.monotonic())
            if pace.left_s > 0 and not is_ready(self.socket, event, min(pace.left_s, _MOMENT_S)):
                self.parking.park(self.socket, event, step, pace.left_s - _MOMENT_S)
            pace.end(time.monotonic())
        if pace.left_s <= 0:
            raise TimeoutError("timed out")  # the words that cheroot knows a timeout by

    def waiting(self) -> AbstractContextManager[None]:
        """While it is open the thread does nothing, and another one may work in its place."""
        return nullcontext() if self.lane is None else self.lane.waiting()

    def hold(self) -> None:
        """Let what is written next, the head of an answer, be sent with what follows it."""
        self.wfile.holds = True

    def release(self) -> None:
        """Send what is held. Raises OSError."""
        self.wfile.release()

    def cut(self) -> None:
        """Let whoever reads from the client see an end."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close; the place of its stream is free again."""
        if self.stream is not None:
            self.stream.release()
        super().close()

    def _linger(self) -> None:
        left = DRAIN_BYTES
        self.reading = Pace(LINGER_S, self._limits.least_rate)
        with suppress(OSError):  # the client is gone
            self.socket.shutdown(socket.SHUT_WR)
            while left > 0 and (block := self.rfile.some(BLOCK)):
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
        self._connection.reading.moved(len(data), time.monotonic())
        self.data += data
        return bool(data)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer where the client ends before. Raises OSError."""
        blocks, left = [], size
        while left > 0 and (block := self.some(left)):
            blocks.append(block)
            left -= len(block)
        return b"".join(blocks)

    def some(self, most: int) -> bytes:
        """Some bytes, none where the client has ended. Raises OSError."""
        while not self.data:
            try:
                block: bytes = self._connection.socket.recv(min(most, BLOCK))
            except BlockingIOError:
                self._connection.wait_to_read(lambda: len(self.data) >= min(most, _ENOUGH))
            else:
                self._connection.reading.moved(len(block), time.monotonic())
                return block
        block = bytes(self.data[:most])
        del self.data[:most]
        return block

    def readline(self, size: int) -> bytes:
        """As far as the end of the line, so many bytes at most. Raises OSError."""
        looked_at = 0
        while (end := self.data.find(b"\n", looked_at, size) + 1) == 0 and len(self.data) < size:
            looked_at = len(self.data)
            if not self._more(looked_at, lambda: b"\n" in self.data or len(self.data) >= size):
                break
        line = bytes(self.data[: end or size])
        del self.data[: len(line)]
        return line

    def _more(self, had: int, is_enough: Callable[[], bool]) -> bool:
        """Get more than one had; False where the client has ended."""
        while self.take() and len(self.data) == had:
            self._connection.wait_to_read(is_enough)
            if len(self.data) > had:
                break
        return len(self.data) > had

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
        self._held = b""
        self.holds = False
        """Whether what is written next is kept, to be sent with what follows it."""

    def write(self, data: Any) -> int:
        """Send all of it, or hold it. Raises OSError."""
        if self.holds:
            self.holds, self._held = False, self._held + bytes(data)
            return len(data)
        if not self._held:
            return self._send(data)
        if len(data) > _JOINED:
            self.release()
            return self._send(data)
        held, self._held = self._held, b""
        return self._send(b"".join((held, data))) - len(held)

    def release(self) -> None:
        """Send what is held. Raises OSError."""
        self.holds = False
        if self._held:
            held, self._held = self._held, b""
            self._send(held)

    def _send(self, data: Any) -> int:
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                try:
                    size: int = self._connection.socket.send(view[sent:])
                except BlockingIOError:
                    sent += self._connection.wait_to_write(view[sent:])
                else:
                    self._connection.writing.moved(size, time.monotonic())
                    sent += size
        return sent

    def close(self) -> None:
        """It is closed with its connection."""
