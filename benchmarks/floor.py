"""What a request costs beside a bare Flask app on the same cheroot: requests per second, and CPU of the server.

    python benchmarks/floor.py [--rounds 3] [--count 1000] [--connections 16]

The bare app answers a GET with the bytes that the fake answers with, and takes a PUT by hashing it and writing it to a
file that it never waits for. The fake keeps its data. Both are served in turn, by a client that sends what was made
before. Prints Markdown for docs/figures.md: medians over the rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from cpu_per_request import Client, Request, contents, job
from disk_waits import upload_urls
from processes import Served, served

GET = "GET of a small list (projects.list)"
PUT = "PUT of 10 KB"
POST = "POST of a small job"


def serve_bare(folder: Path) -> None:
    """The bare app, until it is ended; its port and pid go to the standard output."""
    from cheroot import wsgi
    from flask import Flask, Response, request

    app = Flask("bare")
    small = (folder / "small.json").read_bytes()

    @app.get("/small")
    def get() -> Response:
        return Response(small, mimetype="application/json")

    @app.put("/content/<name>")
    def put(name: str) -> Response:
        body = request.get_data()
        (folder / hashlib.md5(body).hexdigest()).write_bytes(body)
        return Response()

    @app.post("/jobs")
    def post() -> tuple[dict[str, object], int]:
        return {"body": len(json.dumps(request.get_json()))}, 201

    server = wsgi.Server(("127.0.0.1", 0), app, numthreads=16)
    server.keep_alive_conn_limit = 1000
    server.prepare()
    print(server.bind_addr[1], flush=True)
    server.serve()


@contextmanager
def bare(folder: Path, small: bytes) -> Iterator[tuple[str, psutil.Process]]:
    """The bare app in a process of its own: host and port, and the process."""
    (folder / "small.json").write_bytes(small)
    command = [sys.executable, __file__, "--bare", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}", psutil.Process(process.pid)
        finally:
            process.terminate()


def raw(request: Request, host: str) -> bytes:
    """A request as its bytes."""
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines.append(f"Content-Length: {len(request.body or b'')}")
    return "\r\n".join([*lines, "", ""]).encode() + (request.body or b"")


def send_all(host: str, requests: list[bytes], connections: int) -> None:
    """Send requests over some connections, each one when the one before was answered. Ends it for a refusal."""
    waiting = iter(requests)
    name, _, port = host.rpartition(":")
    with selectors.DefaultSelector() as selector:
        got: dict[socket.socket, bytearray] = {}

        def send(client: socket.socket) -> None:
            following = next(waiting, None)
            if following is None:
                selector.unregister(client)
                client.close()
                del got[client]
                return
            got[client] = bytearray()
            client.sendall(following)

        for _ in range(connections):
            client = socket.create_connection((name, int(port)))
            selector.register(client, selectors.EVENT_READ)
            send(client)
        while got:
            for key, _ in selector.select():
                client = key.fileobj  # type: ignore[assignment]
                received = client.recv(1 << 16)
                if not received:
                    raise SystemExit("a connection was closed")
                got[client] += received
                if is_whole(got[client]):
                    send(client)


def is_whole(answer: bytearray) -> bool:
    """Whether all of an answer is there."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(answer[:end]).lower()
    if not head.startswith((b"http/1.1 200", b"http/1.1 201")):
        raise SystemExit(bytes(answer[:500]).decode("latin-1"))
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    return len(answer) >= end + 4 + length


Costs = dict[str, list[tuple[float, float]]]
"""Of each kind: requests per second, and milliseconds of the server's CPU for each."""


def measure(
    process: psutil.Process, costs: Costs, name: str, send: Callable[[list[bytes]], None], all_: list[bytes]
) -> None:
    """Send a tenth to warm up, and the others."""
    warm = len(all_) // 10
    send(all_[:warm])
    before, begun = sum(process.cpu_times()[:2]), time.perf_counter()
    send(all_[warm:])
    wall, cpu = time.perf_counter() - begun, sum(process.cpu_times()[:2]) - before
    count = len(all_) - warm
    costs[name].append((count / wall, cpu / count * 1000))


def of_the_fake(server: Served, count: int, connections: int, costs: Costs) -> bytes:
    """Measure the fake; the bytes of its small list."""
    client = Client(server)
    host = urlsplit(server.url).netloc
    bodies = contents(count)
    urls = [urlsplit(url) for url in upload_urls(server, bodies)]
    get = Request("GET", "/api/v1/projects", None, client.headers)

    def send(requests: list[bytes]) -> None:
        send_all(host, requests, connections)

    made = [
        Request("PUT", f"{url.path}?{url.query}", body, {}) for url, body in zip(urls, bodies, strict=True)
    ]
    small = json.dumps(job([], 1)).encode()
    posts = [
        Request("POST", "/jobs/", small, {**client.headers, "Idempotency-Key": f'"{number}"'})
        for number in range(count)
    ]
    for name, requests in {GET: [get] * count, PUT: made, POST: posts}.items():
        measure(server.process, costs, name, send, [raw(request, host) for request in requests])
    return client.send(get, 200)


def of_the_bare_app(host: str, process: psutil.Process, count: int, connections: int, costs: Costs) -> None:
    """Measure the bare app."""

    def send(requests: list[bytes]) -> None:
        send_all(host, requests, connections)

    bodies = contents(count)
    puts = [Request("PUT", f"/content/{number}", body, {}) for number, body in enumerate(bodies)]
    small = json.dumps(job([], 1)).encode()
    post = Request("POST", "/jobs", small, {"Content-Type": "application/json"})
    for name, requests in {
        GET: [Request("GET", "/small", None, {})] * count,
        PUT: puts,
        POST: [post] * count,
    }.items():
        measure(process, costs, name, send, [raw(request, host) for request in requests])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=1000, help="requests of each kind in a round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        serve_bare(given.bare)
        return
    ours: Costs = defaultdict(list)
    floor: Costs = defaultdict(list)
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder, served(Path(folder), "--speed", "0") as server:
            small = of_the_fake(server, given.count, given.connections, ours)
        with tempfile.TemporaryDirectory() as folder, bare(Path(folder), small) as (host, process):
            of_the_bare_app(host, process, given.count, given.connections, floor)
    print(f"{given.connections} connections, {os.cpu_count()} cores, medians of {given.rounds} rounds.\n")
    print(
        "| request | bare, requests/s | fake | share | bare, CPU ms | fake | times |\n|---|---|---|---|---|---|---|"
    )
    for name in ours:
        (floor_s, floor_ms), (fake_s, fake_ms) = (
            (statistics.median(one[0] for one in of[name]), statistics.median(one[1] for one in of[name]))
            for of in (floor, ours)
        )
        print(
            f"| {name} | {floor_s:.0f} | {fake_s:.0f} | {fake_s / floor_s:.0%} | {floor_ms:.2f} | {fake_ms:.2f} | "
            f"{fake_ms / floor_ms:.1f} |"
        )


if __name__ == "__main__":
    main()
