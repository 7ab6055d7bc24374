"""A proxy that ends TLS in front of a server, as nginx does: it takes a prefix away and says what was asked for."""

from __future__ import annotations

import socket
from pathlib import Path

from support.relay import Relay, head_of
from support.tls_end import TlsEnd

HOST = "localhost"


class TlsProxy(Relay):
    """Serves https://localhost:PORT`prefix`, and passes each request on to the server at `port` over plain HTTP.

    What a client says of forwarding is taken out, and said anew. With `also` there is one more proxy behind this one,
    which says that too, after what came. `bundle` is the file of the authority that its certificate is of.
    """

    def __init__(self, port: int, folder: Path, *, prefix: str = "", also: str = "") -> None:
        super().__init__(port)
        self._tls = TlsEnd(folder, HOST)
        self.bundle = self._tls.bundle
        self._prefix, self._also = prefix, also

    @property
    def host(self) -> str:
        """Host and port, as clients spell it."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.host}{self._prefix}"

    def serve(self, client: socket.socket) -> None:
        inside = self.kept(self._tls.opened(client))
        head = head_of(inside).removesuffix("\r\n\r\n")
        self.pass_on(inside, first=self._passed_on(head).encode("latin-1"))

    def _passed_on(self, head: str) -> str:
        """The head as the server gets it: one request on each connection, which needs no more to be looked at."""
        line, *fields = head.split("\r\n")
        method, target, version = line.split(" ")
        kept = [
            field
            for field in fields
            if not field.lower().startswith(("x-forwarded-", "host:", "connection:"))
        ]
        more = f", {self._also}" if self._also else ""
        said = [
            f"Host: 127.0.0.1:{self.target_port}",
            f"X-Forwarded-Proto: https{more and ', http'}",
            f"X-Forwarded-Host: {self.host}{more}",
            f"X-Forwarded-Prefix: {self._prefix}{more and ', '}",
            "X-Forwarded-For: 192.0.2.7",
            "Connection: close",
        ]
        return "\r\n".join([f"{method} {target.removeprefix(self._prefix)} {version}", *kept, *said, "", ""])
