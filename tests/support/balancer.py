"""A balancer as small as can be: before each request it asks a server whether it is ready, and else the next one."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from support.served import PATIENCE_S

READY = "/_mock/health/ready"


class Balancer:
    """Forwards to the servers in `ports`, in turns. What no server answers is 502."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.forwarded: Counter[int] = Counter()
        """Requests that each port has answered."""
        self._under_way: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._turns = count()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def is_idle(self, port: int) -> bool:
        """Whether nothing that was given to a server is still under way."""
        with self._lock:
            return not self._under_way[port]

    def forwarded_elsewhere(self, port: int) -> int:
        """Requests that other servers have answered."""
        return self.forwarded.total() - self.forwarded[port]

    def has_gone_on_without(self, port: int, before: int) -> bool:
        """Whether other servers have answered more than `before`."""
        return self.forwarded_elsewhere(port) > before

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of a server that says it is ready."""
        ports = list(self.ports)
        first = next(self._turns)
        for number in range(len(ports)):
            port = ports[(first + number) % len(ports)]
            with self._using(port):
                try:
                    if _ask(port, "GET", READY, {}, b"")[0] == 200:
                        answer = _ask(port, method, path, headers, body)
                        self.forwarded[port] += 1
                        return answer
                except OSError:
                    continue
        return 502, b"no server is ready"

    @contextmanager
    def _using(self, port: int) -> Iterator[None]:
        with self._lock:
            self._under_way[port] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[port] -= 1

    def __enter__(self) -> Balancer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


def _ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _handler(balancer: Balancer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {
                name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers
            }
            status, content = balancer.forward(self.command, self.path, kept, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _forward

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler
