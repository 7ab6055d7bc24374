"""A million tasks in one account: a simulated day, its time and memory; a crash after it; others meanwhile.

    make prove            (or: python benchmarks/farm.py [--quick])

The farm alone is measured in a process of its own, so that its peak is its own. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import requests
from processes import MIB, Served, served

from conductor_mock.farm import fold, snapshot
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import AccountOpened, JobCreated
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import TaskStatus
from conductor_mock.farm.values import Machine, Options
from conductor_mock.store.keys import Keys, load_or_create

DAY_S = 86_400
FLEET = 2000
"""Instances at once: with these a million tasks are done within the day."""

MACHINE = Machine("n1-standard-4", 4, 200_000, 50_000, 7_000, 100)


@dataclass(frozen=True)
class Shape:
    """So many jobs of so many tasks."""

    jobs: int
    tasks: int

    def __str__(self) -> str:
        return f"{self.jobs:,} x {self.tasks:,}"


@dataclass(frozen=True)
class Day:
    """What a simulated day took: seconds of CPU, MiB of memory before and at most, the same of a snapshot."""

    advance_s: float
    happened: int
    finished: int
    base_mib: float
    peak_mib: float
    write_s: float
    snapshot_mib: float
    read_s: float


def payload(tasks: int) -> dict[str, Any]:
    """A preemptible job of so many tasks, as a 2019 client asks for it: the service cuts the range."""
    return {
        "job_title": "million", "project": "default", "instance_type": MACHINE.name, "output_path": "/out",
        "command": "render -f <frame args> /projects/million/scene.ma", "frame_range": f"1-{tasks}",
        "preemptible": True, "autoretry_policy": {"preempted": {"max_retries": 3}},
    }  # fmt: skip


def account(fleet: int) -> State:
    options = Options(
        simulation_version=fold.SIMULATION_VERSION,
        catalog_sha256="",
        seed=1,
        fleet=fleet,
        provider="gcs",
        part_size=1 << 30,
        release_scouts=True,
    )
    opened = AccountOpened("me", "5", "", options, Anchor(0, 0, 0))
    return fold.follow(None, Record(1, 0, opened))


def resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(do: Callable[[], object]) -> float:
    """Seconds of CPU that something takes: the machine may be shared."""
    began = time.process_time()
    do()
    return time.process_time() - began


def simulate(shape: Shape, fleet: int, results: Any) -> None:
    """A day of the farm alone, then a snapshot of it to a file and back."""
    state = account(fleet)
    base = resident_mib()
    for _ in range(shape.jobs):
        command = JobCreated(payload(shape.tasks), "", MACHINE)
        fold.follow(state, Record(state.seq + 1, state.now_us, command))
    advance_s = timed(lambda: fold.advance(state, DAY_S * SECOND))
    peak = resident_mib()
    with tempfile.TemporaryFile() as file:
        write_s = timed(
            lambda: file.writelines(json.dumps(part).encode() + b"\n" for part in snapshot.write_parts(state))
        )
        size = file.tell() / MIB
        happened, finished = (
            state.happened,
            sum(job.counts[TaskStatus.SUCCESS] for job in state.jobs.values()),
        )
        state.jobs.clear()
        file.seek(0)
        read_s = timed(lambda: snapshot.read_parts(map(json.loads, file)))
    results.put(Day(advance_s, happened, finished, base, peak, write_s, size, read_s))


def day(shape: Shape, fleet: int) -> Day:
    results: multiprocessing.Queue[Day] = multiprocessing.Queue()
    process = multiprocessing.Process(target=simulate, args=(shape, fleet, results))
    process.start()
    found = results.get()
    process.join()
    return found


class Neighbour:
    """Another account, which asks one thing after another while something else goes on; each answer is timed."""

    def __init__(self, server: Served) -> None:
        self._session = signed_in(server, Keys(b"", "neighbour", "the key of the neighbour"))
        self._url = f"{server.url}/api/v1/jobs"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.waited_s: list[float] = []

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._session.close()

    def _ask(self) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            answer = self._session.get(self._url, timeout=600)
            self.waited_s.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text[:300]

    def __str__(self) -> str:
        ordered = sorted(self.waited_s)
        p99 = ordered[int(len(ordered) * 0.99)]
        return (
            f"{len(ordered)} requests, median {statistics.median(ordered) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, "
            f"longest {ordered[-1] * 1000:.0f} ms"
        )


def signed_in(server: Served, keys: Keys) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    query = {
        "grant_type": "client_credentials", "client_id": keys.client_id, "client_secret": keys.private_key,
        "scope": "owner admin user",
    }  # fmt: skip
    token = session.get(f"{server.url}/api/oauth_jwt", params=query).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def freeze(session: requests.Session, url: str) -> None:
    session.post(f"{url}/_mock/clock", json={"speed": 0}, timeout=600).raise_for_status()


def served_day(folder: Path, shape: Shape) -> None:
    """The same day behind a socket, with a neighbour; then kill -9, and how long the account takes to answer again."""
    with served(folder) as server:
        keys = load_or_create(folder / "data")
        session = signed_in(server, keys)
        freeze(session, server.url)
        session.post(f"{server.url}/_mock/options", json={"fleet": FLEET}).raise_for_status()
        for _ in range(shape.jobs):
            assert session.post(f"{server.url}/jobs/", json=payload(shape.tasks)).status_code == 201
        server.start_measuring()
        with Neighbour(server) as alone:
            time.sleep(2)
        began = time.perf_counter()
        with Neighbour(server) as beside:
            session.post(
                f"{server.url}/_mock/clock", json={"advance": DAY_S}, timeout=3600
            ).raise_for_status()
        wall_s = time.perf_counter() - began
        cpu_s, peak = server.measured()
        counts = total(session, server)
        server.process.send_signal(signal.SIGKILL)
        (folder / "ready.json").unlink()
    print(
        f"| advanced a day over HTTP, beside a neighbour | {wall_s:.1f} s, CPU {cpu_s:.1f} s, peak {peak:.0f} MiB |"
    )
    print(f"| the neighbour alone | {alone} |")
    print(f"| the neighbour meanwhile | {beside} |")
    with served(folder) as server:
        server.start_measuring()
        began = time.perf_counter()
        with signed_in(server, keys) as session:
            again = total(session, server)
        seconds = time.perf_counter() - began
        assert again == counts, (again, counts)
        print(
            f"| first answer after kill -9 | {seconds:.1f} s, peak {server.measured()[1]:.0f} MiB |",
            flush=True,
        )


def total(session: requests.Session, server: Served) -> dict[str, int]:
    """How many tasks of the account are in each status."""
    jobs = session.get(f"{server.url}/api/v1/jobs", timeout=3600).json()["data"]
    return {name: sum(job[name] for job in jobs) for name in ("success", "pending", "running", "preempted")}


def asking(folder: Path, few: int, many: int) -> None:
    """How long one thing takes to ask for, beside few finished jobs and beside many."""
    print(f"\n| operation | ms beside {few:,} finished jobs | beside {many:,} | ratio |")
    print("|---|---|---|---|")
    found: list[dict[str, float]] = []
    with served(folder) as server:
        session = signed_in(server, load_or_create(folder / "data"))
        freeze(session, server.url)
        done = 0
        for count in (few, many):
            for _ in range(count - done):
                assert session.post(f"{server.url}/jobs/", json=payload(1)).status_code == 201
            done = count
            session.post(f"{server.url}/_mock/clock", json={"advance": 7200}, timeout=600).raise_for_status()
            jid = f"{done:05d}"
            calls = {
                "jobs.get": ("GET", f"/api/v1/client/jobs/{jid}"),
                "jobs.list of one": ("GET", f"/api/v1/jobs?filter=jid_eq_{jid}"),
                "tasks.list of one": ("GET", f"/api/v1/tasks?filter=jobLabel_eq_{jid},taskLabel_eq_000"),
                "uploads.next, none": ("PUT", "/uploads/client/next"),
                "downloads.next": ("GET", "/downloads/next"),
            }
            found.append({name: median_ms(session, server, *call) for name, call in calls.items()})
    for name in found[0]:
        before, after = found[0][name], found[1][name]
        print(f"| {name} | {before:.1f} | {after:.1f} | {after / before:.2f} |", flush=True)


def median_ms(session: requests.Session, server: Served, method: str, path: str) -> float:
    waited = []
    for _ in range(60):
        began = time.perf_counter()
        body: dict[str, str] | None = {} if method == "PUT" else None
        assert session.request(method, f"{server.url}{path}", json=body, timeout=600).status_code < 300
        waited.append(time.perf_counter() - began)
    return statistics.median(waited[10:]) * 1000  # the first ones warm up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of it: to see that it runs")
    quick = parser.parse_args().quick
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    tens, thousands = (Shape(10, 1000), Shape(100, 100)) if quick else (Shape(10, 100_000), Shape(1000, 1000))
    print(
        "| jobs x tasks | fleet | advance CPU s | things that happened | tasks done | MiB before, peak "
        "| bytes a task | snapshot s, MiB | read s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for shape, fleet in ((tens, FLEET), (thousands, FLEET), (tens, 0)):
        one = day(shape, fleet)
        each = (one.peak_mib - one.base_mib) * MIB / (shape.jobs * shape.tasks)
        print(
            f"| {shape} | {fleet or 'no limit'} | {one.advance_s:.1f} | {one.happened:,} | {one.finished:,} "
            f"| {one.base_mib:.0f}, {one.peak_mib:.0f} | {each:.0f} | {one.write_s:.1f}, {one.snapshot_mib:.0f} "
            f"| {one.read_s:.1f} |",
            flush=True,
        )
    print(f"\n| served, {tens} | |\n|---|---|")
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        served_day(Path(name), tens)
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        asking(Path(name), 100, 300 if quick else 5000)


if __name__ == "__main__":
    main()
