"""The way back to a client over a socket, for faults that break it (`breakage.Wire`)."""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from typing import NoReturn

from conductor_mock.faults.breakage import GARBAGE
from conductor_mock.serving.framing import Body, Connection

_GLANCE_S = 0.05
"""How often to look again after a client that has sent more than it should: whether it left cannot be waited for."""


class SocketWire:
    """A connection of cheroot's, and the body of the request that is being answered on it."""

    def __init__(self, connection: Connection, body: Body) -> None:
        self._connection = connection
        self._body = body

    def read_rest(self) -> None:
        self._body.drain()

    def hold_back(self, seconds: float) -> None:
        """Wait. Ends when the client goes away or the server stops, which shuts the socket for reading."""
        sock, end = self._connection.socket, time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            while (left := end - time.monotonic()) > 0:
                if not selector.select(left):
                    continue
                if not _peek(sock):
                    return
                threading.Event().wait(min(left, _GLANCE_S))

    def stall(self, seconds: float) -> NoReturn:
        self.hold_back(seconds)
        self.close()

    def reset(self) -> NoReturn:
        self._connection.broken = True
        self.close()

    def close(self) -> NoReturn:
        # cheroot takes this for a client that went away, and closes the connection without a word.
        raise ConnectionAbortedError(errno.ECONNABORTED, "a fault was asked for")

    def garble(self) -> NoReturn:
        self._connection.wfile.write(GARBAGE)
        self.close()


def _peek(sock: socket.socket) -> bytes:
    """The next byte that has come, left in its place; none when the other side is gone."""
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""
