"""A studio's proxy: it wants a name and a password, opens what TLS hides with a certificate of its own, and records."""

from __future__ import annotations

import base64
import socket
from pathlib import Path

from support.relay import Relay, head_of
from support.tls_end import TlsEnd

NAME, PASSWORD = "kim", "p@ss:word"


class ConnectProxy(Relay):
    """Answers CONNECT for every host, and hands what is inside to the server at `port`, which speaks plain HTTP.

    `asked` are the lines of all requests to it, `bundle` the file of the authority that its certificates are of,
    `environment` what a test wants its clients to have besides.
    """

    def __init__(self, port: int, folder: Path, host: str) -> None:
        super().__init__(port)
        self._tls = TlsEnd(folder, host)
        self.bundle = self._tls.bundle
        self.asked: list[str] = []
        self.environment: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        line, *fields = head_of(client).split("\r\n")
        self.asked.append(line)
        wanted = "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
        if f"Proxy-Authorization: {wanted}" not in fields:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.pass_on(self.kept(self._tls.opened(client)))
