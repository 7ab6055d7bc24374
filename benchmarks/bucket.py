"""What it costs to put contents through the fake into a bucket (moto, in a process of its own) and into its folder.

    python benchmarks/bucket.py [--small N] [--large N] [--connections N]

Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from disk_waits import put_all, upload_urls
from processes import served

SMALL, LARGE = 10_000, 100 * 1024 * 1024
PATIENCE_S = 60


@contextmanager
def store() -> Iterator[tuple[str, psutil.Process]]:
    """The URL of an S3 store with a bucket `contents`, and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                client = http.client.HTTPConnection("127.0.0.1", port)
                client.request("PUT", "/contents")
                client.getresponse().read()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def cpu_s(process: psutil.Process) -> float:
    """Processor time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=500)
    parser.add_argument("--large", type=int, default=4)
    parser.add_argument("--connections", type=int, default=4)
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="nothing")
    print("| contents | kept in | wall ms per PUT | server CPU ms | store CPU ms | server peak MiB |")
    print("|---|---|---|---|---|---|")
    with store() as (url, moto):
        for name, size, count in (("10 KB", SMALL, arguments.small), ("100 MB", LARGE, arguments.large)):
            bodies = [os.urandom(16) + bytes(size - 16) for _ in range(count)]
            for where in ("folder", "bucket"):
                bucket = ["--objects", f"s3://contents/{size}", "--objects-endpoint", url]
                with (
                    tempfile.TemporaryDirectory() as folder,
                    served(Path(folder), *(bucket if where == "bucket" else [])) as server,
                ):
                    urls = upload_urls(server, bodies)
                    assert urlsplit(urls[0]).path
                    server.start_measuring()
                    began, before = time.perf_counter(), cpu_s(moto)
                    put_all(server, bodies, urls, arguments.connections)
                    took = time.perf_counter() - began
                    used, peak = server.measured()
                    of_store = cpu_s(moto) - before if where == "bucket" else 0.0
                    shown = " | ".join(f"{1000 * one / count:,.1f}" for one in (took, used, of_store))
                    print(f"| {name} | {where} | {shown} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
