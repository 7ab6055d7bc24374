"""The way back to a client over a socket (`fault.Wire`)."""

from __future__ import annotations

import errno
import socket
import threading
import time
from typing import NoReturn

from conductor_mock.faults.fault import Freed
from conductor_mock.serving.framing import Body, Connection
from conductor_mock.serving.patience import READ, is_ready

_GLANCE_S, _LONGEST_GLANCE_S = 0.05, 1
"""How often to look again whether a wait is over: what ends it has no one descriptor to wait for. A tenth of what was
waited already, within these bounds: many that wait for long must not keep the server busy with looking.
"""


class SocketWire:
    """A connection of cheroot's, and the body of the request that is being answered on it."""

    def __init__(self, connection: Connection, body: Body, stopping: threading.Event) -> None:
        """`stopping` is set when the server begins to end."""
        self._connection = connection
        self._body = body
        self._stopping = stopping
        self._freed: Freed = threading.Event()

    def free_with(self, freed: Freed) -> None:
        self._freed = freed

    def hold_back(self, seconds: float) -> bool:
        """Wait. Ends when the fault is deleted; False when the client goes away or the server stops."""
        self._body.drain()
        sock, end = self._connection.socket, time.monotonic() + seconds
        with self._connection.waiting():
            while (left := end - time.monotonic()) > 0 and not self._freed.is_set():
                if self._stopping.is_set():
                    return False
                waited = seconds - left
                glance = min(left, max(_GLANCE_S, min(_LONGEST_GLANCE_S, waited / 10)))
                if not is_ready(sock, READ, glance):
                    continue
                if not _peek(sock):
                    return False
                self._stopping.wait(glance)  # it has sent more than it should
        return True

    def stall(self, seconds: float) -> NoReturn:
        self.hold_back(seconds)
        self._hang_up()

    def reset(self, *, read_body: bool) -> NoReturn:
        if read_body:
            self._body.drain()
        self._connection.broken = True
        self._hang_up()

    def close(self) -> NoReturn:
        self._body.drain()
        self._hang_up()

    def garble(self, junk: bytes) -> NoReturn:
        self._body.drain()
        self._connection.wfile.write(junk)
        self._hang_up()

    def _hang_up(self) -> NoReturn:
        # cheroot takes this for a client that went away, and closes the connection without a word.
        raise ConnectionAbortedError(errno.ECONNABORTED, "a fault was asked for")


def _peek(sock: socket.socket) -> bytes:
    """The next byte that has come, left in its place; none when the other side is gone."""
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""
