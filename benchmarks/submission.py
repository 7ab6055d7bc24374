"""What a submission costs: wall time, CPU and peak memory, client and server apart; requests per second.

    make bench            (or: python benchmarks/submission.py [--quick])

Each submission is a process of its own against a fresh served fake, so the client's figures hold its start. Prints
Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psutil
import requests

SUBMIT = """
import sys
from conductor.lib import conductor_submit
response, code = conductor_submit.Submit({
    "job_title": "benchmark", "project": "default", "instance_type": "n1-standard-4",
    "tasks_data": [{"command": "true", "frames": "1"}], "output_path": "/tmp/output", "upload_paths": [sys.argv[1]],
}).main()
assert code == 201, (code, response)
"""
MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """What one process used: wall and CPU seconds, peak resident memory in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


class Served:
    """A fake in a process of its own, with what it used since the last look."""

    def __init__(self, process: psutil.Popen, document: dict[str, object]) -> None:
        self.process = process
        self.url = str(document["url"])
        self.environment = dict(document["env"])  # type: ignore[call-overload]

    def start_measuring(self) -> None:
        self._began = self._cpu()
        # 5 resets the high-water mark of resident memory (proc(5))
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def measured(self) -> tuple[float, float]:
        """CPU seconds and peak MiB since `start_measuring`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return self._cpu() - self._began, int(peak.split()[1]) / 1024

    def _cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """A fake that keeps its data below `folder`."""
    ready = folder / "ready.json"
    command = [
        sys.executable, "-m", "conductor_mock", "serve", "--port", "0", "--data-dir", str(folder / "data"),
        "--ready-file", str(ready),
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = psutil.Popen(command, stderr=log)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit((folder / "server.log").read_text())
            time.sleep(0.01)
        yield Served(process, json.loads(ready.read_text()))
    finally:
        process.terminate()
        process.wait()


def submission(server: Served, folder: Path, files: Path) -> tuple[Cost, tuple[float, float]]:
    """Submit what lies below `files`: the cost of the client, and CPU and memory of the server."""
    environment = {**os.environ, **server.environment, "HOME": str(folder), "CONDUCTOR_USER_DIR": str(folder)}
    server.start_measuring()
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", SUBMIT, str(files)], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"the submission ended with exit code {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), server.measured()


def make_files(folder: Path, count: int, size: int) -> Path:
    """`count` files of `size` random bytes each; a large one is made of one random block repeated and numbered."""
    folder.mkdir()
    for number in range(count):
        with (folder / f"file_{number:05d}.bin").open("wb") as file:
            left = size
            while left:
                block = os.urandom(min(left, MIB))
                file.write(block)
                left -= len(block)
    return folder


def per_second(call: Callable[[requests.Session], None], *, connections: int, seconds: float) -> float:
    """Completed calls per second, from `connections` threads with a connection each."""
    counts = [0] * connections
    end = time.perf_counter() + seconds

    def work(index: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while time.perf_counter() < end:
                call(session)
                counts[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def request_rates(server: Served, seconds: float) -> Iterator[tuple[str, int, float]]:
    """`(operation, connections, requests per second)`; the load generator is Python too and shares the machine."""
    key = json.loads(server.environment["CONDUCTOR_API_KEY"])
    query = {
        "grant_type": "client_credentials",
        "scope": "owner admin user",
        "client_id": key["client_id"],
        "client_secret": key["private_key"],
    }
    token = requests.get(f"{server.url}/api/oauth_jwt", params=query, timeout=10).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    job = {
        "job_title": "benchmark", "project": "default", "instance_type": "n1-standard-4", "output_path": "/tmp/out",
        "tasks_data": [{"command": "true", "frames": str(n)} for n in range(10)],
    }  # fmt: skip

    def packages(session: requests.Session) -> None:
        assert session.get(f"{server.url}/api/v1/ee/packages", headers=headers, timeout=60).status_code == 200

    def projects(session: requests.Session) -> None:
        assert session.get(f"{server.url}/api/v1/projects/", headers=headers, timeout=60).status_code == 200

    def create(session: requests.Session) -> None:
        assert session.post(f"{server.url}/jobs/", json=job, headers=headers, timeout=60).status_code == 201

    for operation, call in (
        ("packages.list", packages),
        ("projects.list", projects),
        ("jobs.create", create),
    ):
        for connections in (1, 8):
            yield operation, connections, per_second(call, connections=connections, seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, shorter loads: to see that it runs"
    )
    quick = parser.parse_args().quick
    cases = [("1 x 10 KB", 1, 10_000), ("100 x 10 KB", 100, 10_000), ("1,000 x 10 KB", 1000, 10_000)]
    cases.append(("1 x 64 MB", 1, 64 * MIB) if quick else ("1 x 1 GB", 1, 1024 * MIB))
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    print("| submission | wall s | client CPU s | client peak MiB | server CPU s | server peak MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        folder = Path(name)
        for number, (title, count, size) in enumerate(cases):
            place = folder / str(number)
            place.mkdir()
            files = make_files(place / "files", count, size)
            with served(place) as server:
                for suffix in ("", ", again"):
                    client, (cpu, peak) = submission(server, place, files)
                    print(
                        f"| {title}{suffix} | {client.wall_s:.2f} | {client.cpu_s:.2f} | {client.peak_mib:.0f} "
                        f"| {cpu:.2f} | {peak:.0f} |",
                        flush=True,
                    )
        print("\n| operation | connections | requests/s |\n|---|---|---|")
        place = folder / "rates"
        place.mkdir()
        with served(place) as server:
            for operation, connections, rate in request_rates(server, 1 if quick else 5):
                print(f"| {operation} | {connections} | {rate:.0f} |", flush=True)


if __name__ == "__main__":
    main()
