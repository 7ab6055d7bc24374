"""A studio's proxy: it wants a name and a password, opens what TLS hides with a certificate of its own, and records."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trustme

NAME, PASSWORD = "kim", "p@ss:word"


class ConnectProxy:
    """Answers CONNECT for every host, and hands what is inside to the server at `port`, which speaks plain HTTP.

    `asked` are the lines of all requests to it, `bundle` the file of the authority that its certificates are of,
    `environment` what a test wants its clients to have besides.
    """

    def __init__(self, port: int, folder: Path, host: str) -> None:
        self._port = port
        self.asked: list[str] = []
        self.environment: dict[str, str] = {}
        authority = trustme.CA()
        self.bundle = folder / "studio.pem"
        authority.cert_pem.write_to_path(self.bundle)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> ConnectProxy:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for opened in (self._listener, *self._sockets):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for opened in (self._listener, *self._sockets):
            opened.close()

    def _begin(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # it was left
                return
            self._sockets.append(client)
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # whoever hangs up
            head = b""
            while b"\r\n\r\n" not in head:
                block = client.recv(1)  # what follows the head is TLS
                if not block:
                    return
                head += block
            line, *fields = head.decode("latin-1").split("\r\n")
            self.asked.append(line)
            wanted = "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
            if f"Proxy-Authorization: {wanted}" not in fields:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            inside = self._tls.wrap_socket(client, server_side=True)
            self._sockets.append(inside)
            server = socket.create_connection(("127.0.0.1", self._port))
            self._sockets.append(server)
            self._begin(_pump, inside, server)
            _pump(server, inside)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
