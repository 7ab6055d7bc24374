"""What strace counts while files are uploaded, of a server that keeps its data and one that throws it away:
waits for the disk, and sends; and how long the same takes on a disk on which each wait takes some milliseconds more.

    python benchmarks/disk_waits.py [--files N] [--connections N] [--slow-files N] [--delay-ms N]

Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from processes import Served, served

SIZE, LARGE = 10_000, 100_000
WAITS = ("fsync", "fdatasync")
CALLS = (*WAITS, "sendto")
_PER_REQUEST = 20
_COUNTED = re.compile(rf"^\d+ +(?:\[pid +\d+\] )?({'|'.join(CALLS)})\(", re.MULTILINE)


def upload_urls(server: Served, bodies: list[bytes]) -> list[str]:
    """Where each of the contents is to be put, in their order."""
    address = urlsplit(server.url)
    client = http.client.HTTPConnection(str(address.hostname), address.port)
    key = json.loads(server.environment["CONDUCTOR_API_KEY"])
    query = {
        "grant_type": "client_credentials",
        "scope": "owner admin user",
        "client_id": key["client_id"],
        "client_secret": key["private_key"],
    }
    client.request("GET", f"/api/oauth_jwt?{urlencode(query)}")
    token = json.loads(client.getresponse().read())["access_token"]
    urls: list[str] = []
    for start in range(0, len(bodies), _PER_REQUEST):
        wanted = [
            {
                "path": f"/proj/{number:06d}.bin",
                "hash": base64.b64encode(hashlib.md5(body).digest()).decode(),
                "size": len(body),
            }
            for number, body in enumerate(bodies[start : start + _PER_REQUEST], start)
        ]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps({"upload_files": wanted, "project": "default"})
        client.request("POST", "/api/v2/files/get_upload_urls", body, headers)
        offered = {path: url for [path, url] in _pairs(json.loads(client.getresponse().read()))}
        urls += [offered[str(file["path"])] for file in wanted]
    client.close()
    return urls


def _pairs(answer: object) -> list[list[str]]:
    """Path and URL of each file, however deep the answer wraps them."""
    if isinstance(answer, dict):
        if "preSignedURL" in answer:
            return [[answer["filePath"], answer["preSignedURL"]]]
        return [pair for value in answer.values() for pair in _pairs(value)]
    if isinstance(answer, list):
        return [pair for value in answer for pair in _pairs(value)]
    return []


def put_all(server: Served, bodies: list[bytes], urls: list[str], connections: int) -> None:
    """Put every content where it belongs."""
    todo: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    for pair in zip(urls, bodies, strict=True):
        todo.put(pair)

    def work() -> None:
        address = urlsplit(server.url)
        client = http.client.HTTPConnection(str(address.hostname), address.port)
        while True:
            try:
                url, body = todo.get_nowait()
            except queue.Empty:
                break
            parts = urlsplit(url)
            md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
            headers = {"Content-MD5": md5, "Content-Type": "application/octet-stream"}
            client.request("PUT", f"{parts.path}?{parts.query}", body, headers)
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"PUT {parts.path} was answered with {answer.status}")
        client.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def traced(server: Served, trace: Path, *options: str) -> Iterator[None]:
    """For the block, strace is at the server."""
    command = ["strace", "-f", *options, "-o", str(trace), "-p", str(server.process.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        tracer.stderr.readline()  # it has attached
        yield
        tracer.send_signal(signal.SIGINT)
        tracer.stderr.read()


def counted(files: int, size: int, connections: int, *options: str) -> Counter[str]:
    """What was called while `files` of a size were put."""
    bodies = [os.urandom(size) for _ in range(files)]
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), *options) as server:
        urls = upload_urls(server, bodies)
        trace = Path(folder) / "trace"
        with traced(server, trace, "-e", f"trace={','.join(CALLS)}"):
            put_all(server, bodies, urls, connections)
        return Counter(_COUNTED.findall(trace.read_text()))


def took_s(files: int, connections: int, delay_ms: int) -> float:
    """Seconds in which `files` were put, where each wait for the disk takes so much longer.

    strace is at the server in each case, since it costs something by itself.
    """
    bodies = [os.urandom(SIZE) for _ in range(files)]
    waits = ",".join(WAITS)
    late = ["-e", f"inject={waits}:delay_exit={delay_ms * 1000}"] if delay_ms else []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        urls = upload_urls(server, bodies)
        with traced(server, Path(folder) / "trace", "-e", f"trace={waits}", *late):
            begun = time.perf_counter()
            put_all(server, bodies, urls, connections)
            return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--slow-files", type=int, default=1000, help="on the slow disk; 0: none")
    parser.add_argument("--delay-ms", type=int, default=5)
    given = parser.parse_args()
    print(f"{given.files} files over {given.connections} connections, calls per PUT.\n")
    print("| server | bytes of a file | fsync | fdatasync | send |\n|---|---|---|---|---|")
    keeps, throws = ("keeps its data", ()), ("throws it away", ("--ephemeral",))
    for (name, options), size in ((keeps, SIZE), (throws, SIZE), (keeps, LARGE)):
        calls = counted(given.files, size, given.connections, *options)
        shown = " | ".join(f"{calls[call] / given.files:.2f}" for call in CALLS)
        print(f"| {name} | {size:,} | {shown} |")
    if given.slow_files:
        print(
            f"\n{given.slow_files} files, seconds, the better of two.\n\n| each wait takes | seconds |\n|---|---|"
        )
        for delay_ms in (0, given.delay_ms):
            seconds = min(took_s(given.slow_files, given.connections, delay_ms) for _ in range(2))
            print(f"| {delay_ms} ms more | {seconds:.2f} |")


if __name__ == "__main__":
    main()
