"""A proxy that ends TLS in front of a server, as nginx does: it takes a prefix away and says what was asked for."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trustme

HOST = "localhost"


class TlsProxy:
    """Serves https://localhost:PORT`prefix`, and passes each request on to the server at `port` over plain HTTP.

    What a client says of forwarding is taken out, and said anew. With `also` there is one more proxy behind this one,
    which says that too, after what came.
    """

    def __init__(self, port: int, folder: Path, *, prefix: str = "", also: str = "") -> None:
        self._port, self._prefix, self._also = port, prefix, also
        authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.bundle)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    @property
    def host(self) -> str:
        """Host and port, as clients spell it."""
        return f"{HOST}:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"https://{self.host}{self._prefix}"

    def __enter__(self) -> TlsProxy:
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
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        try:
            inside = self._tls.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._port))
        self._sockets += [inside, server]
        with suppress(OSError):  # whoever hangs up
            read = b""
            while b"\r\n\r\n" not in read:
                block = inside.recv(1 << 16)
                if not block:
                    return
                read += block
            head, _, rest = read.partition(b"\r\n\r\n")
            server.sendall(self._passed_on(head.decode("latin-1")).encode("latin-1") + rest)
            self._begin(_pump, inside, server)
            _pump(server, inside)

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
            f"Host: 127.0.0.1:{self._port}",
            f"X-Forwarded-Proto: https{more and ', http'}",
            f"X-Forwarded-Host: {self.host}{more}",
            f"X-Forwarded-Prefix: {self._prefix}{more and ', '}",
            "X-Forwarded-For: 192.0.2.7",
            "Connection: close",
        ]
        return "\r\n".join([f"{method} {target.removeprefix(self._prefix)} {version}", *kept, *said, "", ""])


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
