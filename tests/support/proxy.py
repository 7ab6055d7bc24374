"""A TCP proxy between a client and a fake, for what goes wrong on the way or must happen in the middle of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from conductor.lib.config import Config
from support.served import ServedProcess

OnBlock = Callable[[bytes], bytes]

BLOCK_BYTES = 1 << 16


class Proxy:
    """Forwards every connection to `port`, until it is left.

    Each block on its way to the server is handed to `on_block` first, and what that returns is sent in its place.
    While `on_block` runs its connection stands still, so a test decides what happens between two blocks; other
    connections go on in threads of their own. What `on_block` raises is raised again where the proxy is left.
    """

    def __init__(self, port: int, on_block: OnBlock = bytes) -> None:
        self.target_port = port
        """Where new connections go; may be changed when the server moved."""
        self._on_block = on_block
        self._failures: list[BaseException] = []
        self._pumps: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The origin to configure clients with. URLs that the server signs lead here too: it reads them off Host."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        _hang_up(self._listener)
        self._acceptor.join()
        for connection in self._sockets:
            _hang_up(connection)
        for pump in self._pumps:
            pump.join()
        for connection in (self._listener, *self._sockets):
            connection.close()
        if self._failures:
            raise self._failures[0]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # hung up: the proxy was left
                return
            self._sockets.append(client)
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:  # no server there: the client is to see a dropped connection
                _hang_up(client)
                continue
            self._sockets.append(server)
            for source, target, on_block in ((client, server, self._on_block), (server, client, bytes)):
                pump = threading.Thread(target=self._pump, args=(source, target, on_block), daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, on_block: OnBlock) -> None:
        try:
            while block := source.recv(BLOCK_BYTES):
                target.sendall(on_block(block))
        except OSError:  # one side is gone, so the other is let go below
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the proxy is left
            self._failures.append(error)
        finally:  # closed only where the proxy is left: another thread may still hold the number of the socket
            _hang_up(source)
            _hang_up(target)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the other end was faster
        connection.shutdown(socket.SHUT_RDWR)


def settings_for(server: ServedProcess, url: str, home: Path, **variables: str) -> Config:
    """The settings of a client of this process that reaches a server at `url`, where a proxy may be."""
    environ = {
        "CONDUCTOR_URL": url,
        "CONDUCTOR_API_KEY": server.ready["env"]["CONDUCTOR_API_KEY"],
        **{f"CONDUCTOR_{name.upper()}": value for name, value in variables.items()},
    }
    return Config.load(environ=environ, home=home)
