"""What one request costs the server in CPU, for two checkouts side by side.

    python benchmarks/cpu_per_request.py BEFORE AFTER [--rounds 5]

BEFORE and AFTER are folders that hold a checkout each (`git worktree add ../before REVISION` makes one). Each round
serves both, one after the other, and the next round begins with the other one, so that a machine whose speed changes
treats both alike. Prints Markdown for docs/figures.md: medians over the rounds, and how many times cheaper AFTER is.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import platform
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import SplitResult, urlencode, urlsplit

from processes import Served, served

CONTENT_BYTES = 10_000
BATCH = 20
"""Files that one request may ask for."""

LARGE = 1000
"""Tasks, and files, of the larger job."""


@dataclass(frozen=True)
class Work:
    """Requests of one operation, and how many of them are measured together."""

    name: str
    requests: list[Request]
    status: int


@dataclass(frozen=True)
class Request:
    """One request as it goes to the socket."""

    method: str
    target: str
    body: bytes | None
    headers: dict[str, str]


class Client:
    """One connection to a server, which sends what it is told and looks at the status alone."""

    def __init__(self, server: Served) -> None:
        url = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=60)
        key = json.loads(server.environment["CONDUCTOR_API_KEY"])
        query = {
            "grant_type": "client_credentials",
            "client_id": key["client_id"],
            "client_secret": key["private_key"],
        }
        answer = self.send(Request("GET", f"/api/oauth_jwt?{urlencode(query)}", None, {}), 200)
        self.headers = {
            "Authorization": f"Bearer {json.loads(answer)['access_token']}",
            "Content-Type": "application/json",
        }

    def send(self, request: Request, status: int) -> bytes:
        """Send one request; the body of its answer. Ends the benchmark for another status."""
        self._connection.request(request.method, request.target, request.body, request.headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != status:
            raise SystemExit(f"{request.method} {request.target}: {response.status} {body[:300]!r}")
        return body


def contents(count: int) -> list[bytes]:
    """Different contents of 10 KB."""
    return [os.urandom(CONTENT_BYTES) for _ in range(count)]


def base64_md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode("ascii")


def job(files: list[tuple[str, str]], tasks: int) -> dict[str, object]:
    """A submission as a client makes it: tasks, packages, and the files that were uploaded before."""
    entry = {
        "st_mode": 33188, "st_ino": 1, "st_dev": 1, "st_nlink": 1, "st_uid": 0, "st_gid": 0,
        "st_size": CONTENT_BYTES, "st_atime": 1.5, "st_mtime": 1.5, "st_ctime": 1.5,
    }  # fmt: skip
    return {
        "job_title": "cost", "project": "default", "instance_type": "n1-standard-4", "output_path": "/tmp/out",
        "environment": {"PATH": "/opt/renderer/bin"}, "local_upload": True, "scout_frames": "1",
        "software_package_ids": ["no-such-package"],
        "tasks_data": [{"command": f"render {number} /show/a.ma", "frames": str(number)} for number in range(tasks)],
        "upload_files": [{"destination": path, "md5": md5, **entry} for path, md5 in files],
    }  # fmt: skip


def upload_urls(client: Client, files: list[tuple[str, str]]) -> list[SplitResult]:
    """Where some files are to be put; none of them may be there yet."""
    wanted = [{"path": path, "hash": md5, "size": CONTENT_BYTES} for path, md5 in files]
    body = json.dumps({"upload_files": wanted, "project": "default"}).encode()
    answer = client.send(Request("POST", "/api/v2/files/get_upload_urls", body, client.headers), 200)
    return [urlsplit(str(entry["preSignedURL"])) for entry in json.loads(answer)["singlePartURLs"]]


def works(client: Client, count: int) -> Iterator[Work]:
    """What is measured, in order: uploads first, since the jobs name what was uploaded."""
    bodies = contents(max(count, LARGE))
    files = [(f"/show/{number:05d}.exr", base64_md5(body)) for number, body in enumerate(bodies)]
    urls = [
        url
        for start in range(0, len(files), BATCH)
        for url in upload_urls(client, files[start : start + BATCH])
    ]
    puts = [
        Request("PUT", f"{url.path}?{url.query}", body, {}) for url, body in zip(urls, bodies, strict=True)
    ]
    yield Work("objects.put, 10 KB", puts, 200)
    small, large = (json.dumps(job(files[:number], number)).encode() for number in (10, LARGE))
    yield Work(
        "jobs.create, 10 tasks and files",
        [
            Request("POST", "/jobs/", small, {**client.headers, "Idempotency-Key": f"small-{number}"})
            for number in range(count)
        ],
        201,
    )
    yield Work(
        f"jobs.create, {LARGE:,} tasks and files",
        [
            Request("POST", "/jobs/", large, {**client.headers, "Idempotency-Key": f"large-{number}"})
            for number in range(max(1, count // 50))
        ],
        201,
    )
    one = Request("GET", "/api/v1/client/jobs/00001", None, client.headers)
    yield Work("jobs.get", [one] * count, 200)


def measure(checkout: Path, count: int) -> dict[str, float]:
    """Milliseconds of the server's CPU for each request, by operation."""
    sources = os.pathsep.join(str(checkout / part) for part in ("client", "mock_server", "contracts"))
    costs = {}
    with (
        tempfile.TemporaryDirectory(prefix="conductor-bench-") as folder,
        served(Path(folder), "--speed", "0", sources=sources) as server,
    ):
        client = Client(server)
        for work in works(client, count):
            warm = len(work.requests) // 10
            for request in work.requests[:warm]:
                client.send(request, work.status)
            server.start_measuring()
            for request in work.requests[warm:]:
                client.send(request, work.status)
            costs[work.name] = server.measured()[0] / (len(work.requests) - warm) * 1000
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=1000, help="requests of each kind in a round")
    arguments = parser.parse_args()
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    checkouts = {"before": arguments.before.resolve(), "after": arguments.after.resolve()}
    costs: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"before": [], "after": []})
    for number in range(arguments.rounds):
        for which in sorted(checkouts, reverse=number % 2 == 0):
            for name, cost in measure(checkouts[which], arguments.count).items():
                costs[name][which].append(cost)
    print("| request | before, CPU ms | after, CPU ms | before / after | least before | least after |")
    print("|---|---|---|---|---|---|")
    for name, both in costs.items():
        before, after = statistics.median(both["before"]), statistics.median(both["after"])
        least = " | ".join(f"{min(both[which]):.2f}" for which in ("before", "after"))
        print(f"| {name} | {before:.2f} | {after:.2f} | {before / after:.2f} | {least} |")


if __name__ == "__main__":
    main()
