"""What stands between a client and a server in tests: it listens, and passes bytes on in threads of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

OnBlock = Callable[[bytes], bytes]

BLOCK_BYTES = 1 << 16

_Relay = TypeVar("_Relay", bound="Relay")


class Relay:
    """Takes connections on 127.0.0.1 until it is left, each served by `serve` of the class that is made of it.

    Leaving hangs up every connection, waits for the threads, and raises what one of them raised.
    """

    def __init__(self, port: int) -> None:
        self.target_port = port
        """Where new connections go; may be changed when the server moved."""
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self: _Relay) -> _Relay:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        _hang_up(self._listener)
        self._acceptor.join()
        # A thread may still begin another connection, or another thread, until it is seen to be at its end.
        for thread in self._threads:
            for connection in self._sockets:
                _hang_up(connection)
            thread.join()
        for connection in (self._listener, *self._sockets):
            connection.close()
        if self._failures:
            raise self._failures[0]

    def serve(self, client: socket.socket) -> None:
        """Serve one connection. An OSError ends it: that is how those do who hang up."""
        raise NotImplementedError

    def pass_on(self, client: socket.socket, *, first: bytes = b"", on_block: OnBlock = bytes) -> None:
        """Hand `first` and all that comes then to the server, each block by `on_block`, and its answers back."""
        server = self.kept(socket.create_connection(("127.0.0.1", self.target_port)))
        server.sendall(first)
        self._begin(partial(_pump, client, server, on_block))
        _pump(server, client, bytes)

    def kept(self, connection: socket.socket) -> socket.socket:
        """The same; it is hung up and closed where this is left."""
        self._sockets.append(connection)
        return connection

    def _begin(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except OSError:  # one side is gone
                pass
            except BaseException as error:  # noqa: BLE001 - raised again where this is left
                self._failures.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # hung up: this was left
                return
            self.kept(client)
            self._begin(partial(self._serve, client))

    def _serve(self, client: socket.socket) -> None:
        try:
            self.serve(client)
        finally:  # where there is no server, the client is to see a dropped connection
            _hang_up(client)


def head_of(client: socket.socket) -> str:
    """The first head, with its last empty line and not a byte more; ConnectionError where there is none."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        block = client.recv(1)  # what follows a head may be TLS
        if not block:
            raise ConnectionError("there is no head")
        head += block
    return head.decode("latin-1")


def _pump(source: socket.socket, target: socket.socket, on_block: OnBlock) -> None:
    try:
        while block := source.recv(BLOCK_BYTES):
            target.sendall(on_block(block))
    finally:  # closed only where the relay is left: another thread may still hold the number of the socket
        _hang_up(source)
        _hang_up(target)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the other end was faster
        connection.shutdown(socket.SHUT_RDWR)
