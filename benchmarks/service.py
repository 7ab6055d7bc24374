"""What the server does: requests per second and p99 per operation, MB/s up and down, one very large job.

    make bench        (or: python benchmarks/service.py [--quick])

Load comes from processes of its own, over raw `http.client` connections, so that the generator is not what is measured;
it shares the machine all the same. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import multiprocessing
import os
import platform
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import requests
from processes import MIB, Served, served

from conductor_mock.auth.signing import Grant, Signer
from conductor_mock.store.keys import Keys, load_or_create

BLOCK = MIB


@dataclass(frozen=True)
class Call:
    """One request of an operation, as the load generator repeats it."""

    operation: str
    method: str
    path: str
    body: bytes | None = None
    status: int = 200


def _load(port: int, token: str, call: Call, seconds: float, connections: int, results: object) -> None:
    latencies: list[list[float]] = [[] for _ in range(connections)]
    end = time.perf_counter() + seconds
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def work(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (began := time.perf_counter()) < end:
            connection.request(call.method, call.path, call.body, headers)
            response = connection.getresponse()
            response.read()
            assert response.status == call.status, (call, response.status)
            mine.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in latencies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put([latency for mine in latencies for latency in mine])  # type: ignore[attr-defined]


def measure(port: int, token: str, call: Call, seconds: float, connections: int) -> tuple[float, float]:
    """Requests per second and the 99th percentile of their times in milliseconds."""
    results: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_load, args=(port, token, call, seconds, connections, results))
    process.start()
    latencies = sorted(results.get())
    process.join()
    return len(latencies) / seconds, latencies[int(len(latencies) * 0.99)] * 1000


def calls(server: Served, session: requests.Session) -> Iterator[Call]:
    """One call per operation, on an account with a hundred jobs of ten tasks, one of which has outputs."""
    payload = {
        "job_title": "load", "project": "default", "instance_type": "n1-standard-4", "output_path": "/tmp/out",
        "tasks_data": [{"command": "true", "frames": str(n)} for n in range(10)],
    }  # fmt: skip
    for _ in range(100):
        assert session.post(f"{server.url}/jobs/", json=payload).status_code == 201
    for task in range(10):
        session.post(
            f"{server.url}/_mock/jobs/00001/tasks/{task:03d}", json={"status": "success"}
        ).raise_for_status()
    md5 = base64.b64encode(hashlib.md5(b"wanted").digest()).decode()
    wanted = {
        "upload_files": [{"path": f"/f{n}", "hash": md5, "size": 6} for n in range(20)],
        "project": "default",
    }
    first = session.get(f"{server.url}/downloads/00001").json()["downloads"][0]
    file_url = urlsplit(first["files"][0]["url"])
    report = {
        "download_id": first["download_id"],
        "status": "downloading",
        "bytes_downloaded": 1,
        "bytes_to_download": 2,
    }
    key = json.loads(server.environment["CONDUCTOR_API_KEY"])
    token_query = urlencode(
        {
            "grant_type": "client_credentials",
            "scope": "owner admin user",
            "client_id": key["client_id"],
            "client_secret": key["private_key"],
        }
    )
    account = session.get(f"{server.url}/api/v1/jobs?filter=jid_eq_00001").json()["data"][0]["account_id"]
    yield Call("auth.token", "GET", f"/api/oauth_jwt?{token_query}")
    yield Call("accounts.get", "GET", f"/api/v1/accounts/{account}")
    yield Call("packages.list", "GET", "/api/v1/ee/packages?all=true,")
    yield Call("projects.list", "GET", "/api/v1/projects/")
    yield Call("instance_types.list", "GET", "/api/v1/instance-types?filter=cpu=gte:8:int")
    yield Call("env_vars.list", "GET", "/api/v1/integrations/env-vars-configs")
    yield Call("files.get_upload_urls", "POST", "/api/v2/files/get_upload_urls", json.dumps(wanted).encode())
    yield Call("jobs.list", "GET", "/api/v1/jobs?filter=jid_gt_00010,jid_lt_00012")
    yield Call("jobs.get", "GET", "/api/v1/client/jobs/00001")
    yield Call("tasks.list", "GET", "/api/v1/tasks?filter=jobLabel_eq_00001,taskLabel_eq_003")
    yield Call("logs.get", "GET", "/get_log_file?job=00001&task=003&num_lines[]=0")
    yield Call("uploads.next", "PUT", "/uploads/client/next", b'{"location": null}', 204)
    yield Call("downloads.page", "POST", "/jobs/00001/downloads?limit=50", b'{"tids": null}', 201)
    yield Call("downloads.report", "POST", "/downloads/status", json.dumps(report).encode())
    yield Call("downloads.next", "GET", "/downloads/next?count=5&location=nowhere", None, 204)
    yield Call("objects.get", "GET", f"{file_url.path}?{file_url.query}")
    yield Call("billing.get_usage", "GET", "/billing/get_usage")
    yield Call("jobs.create", "POST", "/jobs/", json.dumps(payload).encode(), 201)


def transfer(server: Served, session: requests.Session, keys: Keys, size: int) -> list[float]:
    """MB/s over one connection: a PUT, a chunked PUT, a GET; a bare socket, and one that hashes and writes."""
    rates: list[float] = []
    for chunked in (False, True):
        block = os.urandom(BLOCK)
        digest = hashlib.md5()
        for _ in range(size // BLOCK):
            digest.update(block)
        url = _upload_url(server, session, digest.digest(), size)
        body = _blocks(block, size) if chunked else _Sized(block, size)
        rates.append(_rate(size, partial(_put, url, body)))
    grant = Grant("GET", urlsplit(url).path + "/big.bin", None, int(time.time()) + 600)
    rates.append(_rate(size, partial(_get, Signer(keys.signing_key).url(server.url, grant))))
    return rates + [socket_limit(size, hashing=hashing) for hashing in (False, True)]


def _upload_url(server: Served, session: requests.Session, md5: bytes, size: int) -> str:
    entry = {"path": "/big.bin", "hash": base64.b64encode(md5).decode(), "size": size}
    answer = session.post(
        f"{server.url}/api/v2/files/get_upload_urls", json={"upload_files": [entry], "project": None}
    )
    return str(answer.json()["singlePartURLs"][0]["preSignedURL"])


def _put(url: str, body: object) -> None:
    assert requests.put(url, data=body, timeout=600).status_code == 200  # type: ignore[arg-type]


def _get(url: str) -> None:
    with requests.get(url, stream=True, timeout=600) as response:
        assert response.status_code == 200
        while response.raw.read(1 << 18):
            pass


def _rate(size: int, work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return float(size / MIB / (time.perf_counter() - began))


def _blocks(block: bytes, size: int) -> Iterator[bytes]:
    for _ in range(size // len(block)):
        yield block


class _Sized:
    """A body of known length that is never in memory whole: one block, again and again."""

    def __init__(self, block: bytes, size: int) -> None:
        self._block, self._at = block, 0
        self.len = size

    def read(self, wanted: int = -1) -> bytes:
        start = self._at % len(self._block)
        count = min(len(self._block) - start, self.len - self._at, wanted if wanted > 0 else len(self._block))
        self._at += count
        return self._block[start : start + count]


def socket_limit(size: int, *, hashing: bool) -> float:
    """MB/s of `size` bytes through one loopback socket in blocks of 256 KiB; with md5 and a file when `hashing`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def receive() -> None:
        connection, _ = listener.accept()
        digest = hashlib.md5()
        with connection, tempfile.TemporaryFile() as file:
            while block := connection.recv(1 << 18):
                if hashing:
                    digest.update(block)
                    file.write(block)
            if hashing:
                file.flush()
                os.fsync(file.fileno())
            connection.sendall(b"x")

    thread = threading.Thread(target=receive)
    thread.start()
    block = os.urandom(BLOCK)
    with socket.create_connection(listener.getsockname()) as connection:
        began = time.perf_counter()
        for _ in range(size // BLOCK):
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        seconds = time.perf_counter() - began
    thread.join()
    listener.close()
    return float(size / MIB / seconds)


def large_body(count: int) -> bytes:
    """The JSON of a job of `count` tasks and upload files, as clients write it."""
    entry = {
        "md5": base64.b64encode(hashlib.md5(b"").digest()).decode(), "st_mode": 33188, "st_ino": 1, "st_dev": 1,
        "st_nlink": 1, "st_uid": 0, "st_gid": 0, "st_size": 0, "st_atime": 1.5, "st_mtime": 1.5, "st_ctime": 1.5,
    }  # fmt: skip
    return json.dumps(
        {
            "job_title": "large", "project": "default", "instance_type": "n1-standard-4", "output_path": "/tmp/out",
            "tasks_data": [{"command": f"render {n} /projects/large/a.ma", "frames": f"{n}"} for n in range(count)],
            "upload_files": [{"destination": f"/projects/large/{n:06d}.exr", **entry} for n in range(count)],
            "local_upload": False,
        }
    ).encode()  # fmt: skip


def accept_large_job(server: Served, session: requests.Session, body: bytes) -> float:
    """Seconds until the server has accepted a job."""
    began = time.perf_counter()
    response = session.post(
        f"{server.url}/jobs/", data=body, headers={"Content-Type": "application/json"}, timeout=600
    )
    assert response.status_code == 201, response.text[:300]
    return time.perf_counter() - began


def signed_in(server: Served, keys: Keys) -> tuple[requests.Session, str]:
    session = requests.Session()
    session.trust_env = False
    query = {
        "grant_type": "client_credentials",
        "client_id": keys.client_id,
        "client_secret": keys.private_key,
    }
    token = session.get(f"{server.url}/api/oauth_jwt", params=query).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session, token


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, shorter loads: to see that it runs"
    )
    quick = parser.parse_args().quick
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name, served(Path(name)) as server:
        keys = load_or_create(Path(name) / "data")
        session, token = signed_in(server, keys)
        port = urlsplit(server.url).port or 0
        print("| operation | requests/s, 1 connection | p99 ms | requests/s, 16 connections | p99 ms |")
        print("|---|---|---|---|---|")
        for call in calls(server, session):
            cells = [measure(port, token, call, 0.5 if quick else 3, connections) for connections in (1, 16)]
            row = " | ".join(f"{rate:.0f} | {p99:.1f}" for rate, p99 in cells)
            print(f"| {call.operation} | {row} |", flush=True)
        print(
            "\n| body | PUT MB/s | chunked PUT MB/s | GET MB/s | plain socket MB/s | socket, md5 and file MB/s |"
        )
        print("|---|---|---|---|---|---|")
        for size in (16 * MIB, 64 * MIB) if quick else (64 * MIB, 1024 * MIB):
            rows = [transfer(server, session, keys, size) for _ in range(1 if quick else 3)]
            medians = [statistics.median(column) for column in zip(*rows, strict=True)]
            print(
                f"| {size // MIB} MiB | " + " | ".join(f"{rate:.0f}" for rate in medians) + " |", flush=True
            )
        count = 1000 if quick else 100_000
        body = large_body(count)
        server.start_measuring()
        seconds = accept_large_job(server, session, body)
        cpu_s, peak = server.measured()
        print(
            f"\nA job of {count} tasks and {count} files ({len(body) / 1e6:.0f} MB of JSON): accepted in "
            f"{seconds:.2f} s, CPU {cpu_s:.2f} s, server peak {peak:.0f} MiB."
        )


if __name__ == "__main__":
    main()
