"""What a request costs beside a bare Flask app on the same cheroot: CPU of the server, and requests per second.

    python benchmarks/floor.py [--slices 10] [--count 60] [--connections 16] [--only KIND]
                               [--before CHECKOUT] [--workers N] [--moto]

The bare app answers a GET with the bytes that the fake answers with, and takes a PUT by hashing it and writing it to a
file that it never waits for. The fake keeps its data. All servers are there at once and are asked in turn, a slice of
requests each, by a client that sends what was made before: so a machine whose speed changes treats all alike. Beside
them, where asked for: the fake of another checkout, one of several processes, and moto_server, whose POSTs are
SQS SendMessage, DynamoDB GetItem and STS GetCallerIdentity. Prints Markdown for docs/figures.md: medians over slices.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from cpu_per_request import Client, Request, contents, job
from disk_waits import upload_urls
from processes import Served, served

GET = "GET of a small list (projects.list)"
PUT = "PUT of 10 KB"
POST = "POST of a small job"
KINDS = (GET, PUT, POST)


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

    server = wsgi.Server(("127.0.0.1", 0), app, numthreads=16, request_queue_size=1024)
    server.keep_alive_conn_limit = 1000
    server.prepare()
    print(server.bind_addr[1], flush=True)
    server.serve()


@dataclass
class Subject:
    """A server that is asked: where, whose CPU is counted, and what it is asked, by kind."""

    name: str
    host: str
    process: psutil.Process
    requests: dict[str, list[bytes]]
    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    per_second: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, kind: str, count: int, connections: int) -> None:
        """Send the next `count` requests of a kind."""
        stock = self.requests[kind]
        slice_, stock[:count] = stock[:count], []
        before, begun = self._cpu_s(), time.perf_counter()
        send_all(self.host, slice_, connections)
        wall, cpu = time.perf_counter() - begun, self._cpu_s() - before
        self.per_second.setdefault(kind, []).append(count / wall)
        self.cpu_ms.setdefault(kind, []).append(cpu / count * 1000)

    def warm_up(self, kind: str, count: int) -> None:
        """Send some whose cost does not count."""
        self.measure(kind, count, 4)
        self.cpu_ms[kind].clear()
        self.per_second[kind].clear()

    def _cpu_s(self) -> float:
        # The clock of another process (clock_getcpuclockid(3)): exact, where the times of proc(5) are in hundredths.
        all_ = [self.process, *self.process.children(recursive=True)]
        return sum(time.clock_gettime_ns((~one.pid << 3) | 2) for one in all_) / 1e9


@contextmanager
def bare(small: bytes, count: int) -> Iterator[Subject]:
    """The bare app in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "small.json").write_bytes(small)
        command = [sys.executable, __file__, "--bare", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                host = f"127.0.0.1:{int(process.stdout.readline())}"
                bodies = contents(count)
                post = Request("POST", "/jobs", _small_job(), {"Content-Type": "application/json"})
                requests = {
                    GET: [Request("GET", "/small", None, {})] * count,
                    PUT: [
                        Request("PUT", f"/content/{number}", body, {}) for number, body in enumerate(bodies)
                    ],
                    POST: [post] * count,
                }
                yield Subject("bare", host, psutil.Process(process.pid), _raw(requests, host))
            finally:
                process.terminate()


@contextmanager
def fake(name: str, count: int, *options: str, sources: str | None = None) -> Iterator[tuple[Subject, bytes]]:
    """A fake, and the bytes of its small list."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), "--speed", "0", *options, sources=sources) as server,
    ):
        client = Client(server)
        host = urlsplit(server.url).netloc
        get = Request("GET", "/api/v1/projects", None, client.headers)
        small = client.send(get, 200)
        small_job = _small_job()
        requests = {
            GET: [get] * count,
            PUT: _puts(server, count),
            POST: [
                Request("POST", "/jobs/", small_job, {**client.headers, "Idempotency-Key": f'"{number}"'})
                for number in range(count)
            ],
        }
        yield Subject(name, host, server.process, _raw(requests, host)), small


def _puts(server: Served, count: int) -> list[Request]:
    bodies = contents(count)
    urls = [urlsplit(url) for url in upload_urls(server, bodies)]
    return [
        Request("PUT", f"{url.path}?{url.query}", body, {}) for url, body in zip(urls, bodies, strict=True)
    ]


@contextmanager
def moto(count: int) -> Iterator[Subject]:
    """moto_server, and three of its cheapest POSTs."""
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", "0"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file, psutil.Popen(command, stdout=file, stderr=file) as process:
            try:
                while not (found := re.search(r"127\.0\.0\.1:(\d+)", log.read_text())):
                    time.sleep(0.05)
                host = f"127.0.0.1:{found[1]}"
                for prepared in (_SQS_QUEUE, _DYNAMODB_TABLE):
                    send_all(host, [raw(prepared, host)], 1)
                requests = {name: [one] * count for name, one in _MOTO.items()}
                yield Subject("moto", host, psutil.Process(process.pid), _raw(requests, host))
            finally:
                process.terminate()


def _aws(service: str, target: str, body: object) -> Request:
    credential = f"AKIAIOSFODNN7EXAMPLE/20261127/us-east-1/{service}/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=0"
    kind = "application/x-amz-json-1.0"
    if service == "sts":
        return Request(
            "POST", "/", str(body).encode(),
            {"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
    headers = {"Authorization": signed, "Content-Type": kind, "X-Amz-Target": target}
    return Request("POST", "/", json.dumps(body).encode(), headers)


_SQS_QUEUE = _aws("sqs", "AmazonSQS.CreateQueue", {"QueueName": "jobs"})
_DYNAMODB_TABLE = _aws(
    "dynamodb",
    "DynamoDB_20120810.CreateTable",
    {
        "TableName": "jobs",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
)
_MOTO = {
    "SQS SendMessage": _aws(
        "sqs",
        "AmazonSQS.SendMessage",
        {"QueueUrl": "http://127.0.0.1/123456789012/jobs", "MessageBody": "a job"},
    ),
    "DynamoDB GetItem": _aws(
        "dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "jobs", "Key": {"id": {"S": "1"}}}
    ),
    "STS GetCallerIdentity": _aws("sts", "", "Action=GetCallerIdentity&Version=2011-06-15"),
}


def _small_job() -> bytes:
    return json.dumps(job([], 1)).encode()


def _raw(requests: dict[str, list[Request]], host: str) -> dict[str, list[bytes]]:
    return {kind: [raw(request, host) for request in of_kind] for kind, of_kind in requests.items()}


def raw(request: Request, host: str) -> bytes:
    """A request as its bytes."""
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines.append(f"Content-Length: {len(request.body or b'')}")
    return "\r\n".join([*lines, "", ""]).encode() + (request.body or b"")


def send_all(host: str, requests: list[bytes], connections: int) -> None:
    """Send requests over some connections, each one when the one before was answered. Ends it for a refusal.

    A connection that the server closes behind an answer is opened anew.
    """
    waiting = iter(requests)
    name, _, port = host.rpartition(":")
    with selectors.DefaultSelector() as selector:
        got: dict[socket.socket, bytearray] = {}

        def send_next(client: socket.socket | None) -> None:
            following = next(waiting, None)
            if following is None:
                if client is not None:
                    _forget(client)
                return
            if client is None:
                client = socket.create_connection((name, int(port)))
                selector.register(client, selectors.EVENT_READ)
            got[client] = bytearray()
            client.sendall(following)

        def _forget(client: socket.socket) -> None:
            selector.unregister(client)
            client.close()
            del got[client]

        for _ in range(connections):
            send_next(None)
        while got:
            for key, _ in selector.select():
                client: socket.socket = key.fileobj  # type: ignore[assignment]
                received = client.recv(1 << 16)
                if not received:
                    raise SystemExit("a connection was closed before its answer was whole")
                got[client] += received
                whole = is_whole(got[client])
                if whole == "closes":
                    _forget(client)
                    send_next(None)
                elif whole:
                    send_next(client)


def is_whole(answer: bytearray) -> str:
    """Whether all of an answer is there: "" if not, "stays" or "closes" by what becomes of the connection."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return ""
    head = bytes(answer[:end]).lower()
    if not re.match(rb"http/1\.[01] 20[01]", head):
        raise SystemExit(bytes(answer[:500]).decode("latin-1"))
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    if len(answer) < end + 4 + length:
        return ""
    return "closes" if b"connection: close" in head or head.startswith(b"http/1.0") else "stays"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slices", type=int, default=10, help="how often each server is asked")
    parser.add_argument("--count", type=int, default=60, help="requests of a slice")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--only", default="", help="only the kinds whose name holds this text")
    parser.add_argument("--before", type=Path, help="a folder that holds another checkout")
    parser.add_argument("--workers", type=int, default=0, help="a fake of so many processes, too")
    parser.add_argument("--moto", action="store_true", help="moto_server, too")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        serve_bare(given.bare)
        return
    count = given.count * (given.slices + 1)
    with ExitStack() as open_:
        ours, small = open_.enter_context(fake("fake", count))
        subjects = [open_.enter_context(bare(small, count)), ours]
        if given.before:
            sources = os.pathsep.join(
                str(given.before.resolve() / part) for part in ("client", "mock_server", "contracts")
            )
            subjects.insert(1, open_.enter_context(fake("before", count, sources=sources))[0])
        if given.workers:
            several = ("--workers", str(given.workers))
            if given.before:
                before = fake(f"{given.workers} workers before", count, *several, sources=sources)
                subjects.append(open_.enter_context(before)[0])
            workers = fake(f"{given.workers} workers", count, *several)
            subjects.append(open_.enter_context(workers)[0])
        if given.moto:
            subjects.append(open_.enter_context(moto(count)))
        for kind in (*KINDS, *(_MOTO if given.moto else ())):
            asked = [one for one in subjects if kind in one.requests and given.only in kind]
            for one in asked:
                one.warm_up(kind, given.count)
            for number in range(given.slices):
                for one in asked[:: 1 if number % 2 else -1]:
                    one.measure(kind, given.count, given.connections)
    print_table(subjects, given)


def print_table(subjects: list[Subject], given: argparse.Namespace) -> None:
    """CPU and requests per second of each kind at each server, and how many times the bare app's."""
    print(
        f"{given.connections} connections, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of "
        f"{given.slices} slices of {given.count}.\n"
    )
    print("| request | server | CPU ms | times | requests/s | share |\n|---|---|---|---|---|---|")
    floor = subjects[0]
    for kind in dict.fromkeys(kind for one in subjects for kind in one.cpu_ms):
        for one in subjects:
            if kind not in one.cpu_ms:
                continue
            cpu, rate = statistics.median(one.cpu_ms[kind]), statistics.median(one.per_second[kind])
            beside = ["", ""]
            if kind in floor.cpu_ms:
                times = [
                    mine / theirs for mine, theirs in zip(one.cpu_ms[kind], floor.cpu_ms[kind], strict=True)
                ]
                shares = [
                    mine / theirs
                    for mine, theirs in zip(one.per_second[kind], floor.per_second[kind], strict=True)
                ]
                beside = [f"{statistics.median(times):.2f}", f"{statistics.median(shares):.0%}"]
            print(f"| {kind} | {one.name} | {cpu:.2f} | {beside[0]} | {rate:.0f} | {beside[1]} |")


if __name__ == "__main__":
    main()
