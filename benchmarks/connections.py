"""A healthy client beside 2,000 hostile ones: `python benchmarks/connections.py [HOSTILE] [SECONDS] [KIND]`.

The server is a process of its own, with one path more, `/big`, which answers 32 MiB: more than a system takes from it
for a client that does not read. The healthy client asks one question after the other, on a new connection every second
time. After the hostile ones have come it does so until ten pairs in a row were answered within 100 ms, then for SECONDS
(20), which are what is measured. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import http.client
import itertools
import json
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psutil

from conductor_mock.app import create_app
from conductor_mock.serving.server import Server as MockServer

HOST = "127.0.0.1"
QUESTIONS = ("/api/v1/jobs", "/_mock/clock")
BIG_BYTES = 1 << 25
EVERY_S = 1.0
"""How often a hostile client sends or reads a byte."""


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    token: str = ""
    figures: psutil.Process = field(init=False)

    def __post_init__(self) -> None:
        self.figures = psutil.Process(self.process.pid)

    def get(self, target: str, *, to: http.client.HTTPConnection | None = None) -> bytes:
        return self.ask("GET", target, b"", to)

    def ask(
        self,
        method: str,
        target: str,
        body: bytes,
        to: http.client.HTTPConnection | None = None,
        kind: str = "application/json",
    ) -> bytes:
        connection = to or http.client.HTTPConnection(HOST, self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        connection.request(method, target, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {target}: {answer.status} {content[:200]!r}")
        if to is None:
            connection.close()
        return content


@contextmanager
def served() -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        document = json.loads(process.stdout.readline())
        server = Server(process, document["port"])
        query = {
            "grant_type": "client_credentials",
            "client_id": document["key"]["client_id"],
            "client_secret": document["key"]["private_key"],
        }
        server.token = json.loads(server.get(f"/api/oauth_jwt?{urlencode(query)}"))["access_token"]
        yield server
    finally:
        process.stdin.close()
        process.wait(60)


def serve() -> None:
    """Serve until the standard input ends; say where."""
    app = create_app()
    app_without = app.wsgi_app
    block = bytes(1 << 18)

    def with_big(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/big":
            return app_without(environ, start_response)
        start_response("200 OK", [("Content-Length", str(BIG_BYTES))])
        return itertools.repeat(block, BIG_BYTES // len(block))

    app.wsgi_app = with_big  # type: ignore[method-assign]  # the documented way to wrap
    with MockServer(app) as server:
        key = json.loads(server.environment()["CONDUCTOR_API_KEY"])
        print(json.dumps({"port": server.port, "key": key}), flush=True)
        sys.stdin.read()


class Hostile:
    """Connections to a server, on each of which little is done now and then."""

    def __init__(
        self, server: Server, count: int, opening: bytes, byte: bytes | None, *, reads: bool
    ) -> None:
        self._address, self._count = (HOST, server.port), count
        self._opening, self._byte, self._reads = opening, byte, reads
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        self.opened = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Hostile:
        for _ in range(self._count):
            self._sockets.append(self._open())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _open(self) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(60)
        one.connect(self._address)
        one.sendall(self._opening)
        one.setblocking(False)
        self.opened += 1
        return one

    def _run(self) -> None:
        """All of them once in EVERY_S; those that the server has closed come again."""
        for turn in itertools.cycle(range(self._count)):
            if self._over.wait(EVERY_S / self._count):
                return
            one = self._sockets[turn]
            with suppress(BlockingIOError):
                try:
                    if self._byte is not None:
                        one.send(self._byte)
                    if (self._reads or self._byte is None) and not one.recv(1):
                        raise ConnectionResetError
                except BlockingIOError:
                    raise
                except OSError:
                    one.close()
                    with suppress(OSError):
                        self._sockets[turn] = self._open()


def head(line: str, server: Server, *fields: str) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {server.token}", *fields, "", ""]
    return "\r\n".join(lines).encode("ascii")


def main() -> None:
    """Raise the limit of open files, and take each kind in its turn, with a server of its own."""
    if sys.argv[1:] == ["serve"]:
        serve()
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * count + 1000), hard))
    kinds: dict[str, Callable[[Server], tuple[bytes, bytes | None, bool]]] = {
        "none": lambda _: (b"", None, False),
        "silent": lambda _: (b"", None, False),
        "dripping head": lambda _: (b"GET / HTTP/1.1\r\nX: ", b"x", False),
        "slow body": lambda s: (head("POST /jobs/", s, "Content-Length: 99999") + b"{", b"x", False),
        "slow chunked body": lambda s: (
            head("POST /jobs/", s, "Transfer-Encoding: chunked") + b"fffff\r\n",
            b"x",
            False,
        ),
        "slow body to `/_mock`": lambda s: (
            head("POST /_mock/clock", s, "Content-Type: application/json", "Content-Length: 99999") + b"{",
            b"x",
            False,
        ),
        "held back by a fault": held_back,
        "slow reader": lambda s: (head("GET /big", s), None, True),
    }
    print("| hostile clients | s until settled | questions | p50 ms | p99 ms | longest ms | threads | MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, made in kinds.items():
        if len(sys.argv) > 3 and kind != sys.argv[3]:
            continue
        with served() as server:
            opening, byte, reads = made(server)
            with Hostile(server, 0 if kind == "none" else count, opening, byte, reads=reads) as hostile:
                came_s = settle(server)
                took_ms, threads, mib = ask(server, seconds)
            cut = statistics.quantiles(took_ms, n=100)
            shown = kind if kind == "none" else f"{count}, {kind}"
            if hostile.opened > count:
                shown += f" ({hostile.opened - count} came again)"
            times = " | ".join(f"{value:.1f}" for value in (cut[49], cut[98], max(took_ms)))
            print(f"| {shown} | {came_s:.1f} | {len(took_ms)} | {times} | {threads} | {mib} |", flush=True)


def held_back(server: Server) -> tuple[bytes, bytes | None, bool]:
    """What a client sends that a fault then lets wait."""
    rule = {
        "match": {"path": "/api/v1/projects"},
        "fault": {"kind": "stall", "seconds": 600},
        "times": 1_000_000,
    }
    server.ask("POST", "/_mock/faults", json.dumps(rule).encode())
    return head("GET /api/v1/projects", server), None, False


def settle(server: Server) -> float:
    """Ask until the answers come as they will from now on, or for a minute; how long it took."""
    began = time.monotonic()
    quick = 0
    while quick < 10 and time.monotonic() - began < 60:
        asked = time.monotonic()
        for question in QUESTIONS:
            server.get(question)
        quick = quick + 1 if time.monotonic() - asked < 0.1 else 0
    return time.monotonic() - began


def ask(server: Server, seconds: float) -> tuple[list[float], int, int]:
    """How long each question took, the most threads, and the most memory."""
    took_ms: list[float] = []
    threads = mib = 0
    end = time.monotonic() + seconds
    kept = http.client.HTTPConnection(HOST, server.port, timeout=60)
    for number in itertools.count():
        began = time.monotonic()
        if began >= end:
            return took_ms, threads, mib
        server.get(QUESTIONS[number // 2 % 2], to=kept if number % 2 else None)
        took_ms.append((time.monotonic() - began) * 1000)
        if number % 50 == 0:
            threads = max(threads, server.figures.num_threads())
            mib = max(mib, server.figures.memory_info().rss >> 20)
        time.sleep(0.01)
    raise AssertionError


if __name__ == "__main__":
    main()
