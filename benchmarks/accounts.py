"""What an account costs that nobody uses: memory of the server for each of ten thousand, and what holds it.

    python benchmarks/accounts.py [--accounts 10000] [--jobs 3] [--quick]

Every account signs in, submits jobs and is not asked for again; then all of them idle. Resident memory is that of the
process, read after the first tenth and after all of them, so that what a server has anyway is not counted. What is
traced is what Python's own allocator holds, by the line that made it. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import platform
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from werkzeug.test import Client

from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.settings import Quotas, Settings

KIB = 1024
ORIGIN = "http://127.0.0.1:8089"
LINES = 12
"""So many lines of the program are named that hold most."""


def resident() -> int:
    """Bytes of this process that are in memory now."""
    status = Path("/proc/self/status").read_text()
    return KIB * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def use(client: Client, name: str, jobs: int) -> None:
    """One account, used once: a token, and so many jobs of a task each."""
    query = {
        "grant_type": "client_credentials",
        "client_id": name,
        "client_secret": f"key of {name}",
        "scope": "user",
    }
    token = client.get("/api/oauth_jwt", query_string=query, base_url=ORIGIN).get_json()["access_token"]
    for number in range(jobs):
        job = {
            "job_title": f"job {number}", "project": "default", "instance_type": "n1-standard-4",
            "output_path": "/out", "tasks_data": [{"command": "render -f 1", "frames": "1"}],
        }  # fmt: skip
        answer = client.post(
            "/jobs/", json=job, base_url=ORIGIN, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 201, answer.get_data()[:300]


def measured(accounts: int, jobs: int, traced: bool, results: Any) -> None:
    """Bytes of each account after the first tenth of them, and what holds them if that is traced."""
    logging.disable(logging.WARNING)
    first = accounts // 10
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        app = create_app(Settings(data_dir=Path(name), quotas=Quotas(accounts=accounts + 1)))
        client, service = Client(app), service_of(app)

        def looked_at(since: int, until: int) -> tuple[int, int]:
            for number in range(since, until):
                use(client, f"user {number}", jobs)
            used = resident()
            idle(service.accounts)
            gc.collect()
            return used, resident()

        if traced:
            tracemalloc.start()
        _, before = looked_at(0, first)
        earlier = tracemalloc.take_snapshot() if traced else None
        began = time.process_time()
        used, after = looked_at(first, accounts)
        cpu_s = time.process_time() - began
        count = accounts - first
        lines = []
        if earlier is not None:
            found = tracemalloc.take_snapshot().compare_to(earlier, "lineno")
            lines = [("all of it", sum(one.size_diff for one in found) / count)]
            lines += [
                (f"{Path(one.traceback[0].filename).name}:{one.traceback[0].lineno}", one.size_diff / count)
                for one in found[:LINES]
            ]
        results.put(((used - before) / count, (after - before) / count, cpu_s / count, lines))
        close_app(app)


def idle(accounts: Any) -> None:
    """As if nobody had come for long."""
    close: Callable[[float], object] | None = getattr(accounts, "close_unused", None)
    if close is not None:
        close(0)


def apart(*arguments: Any) -> Any:
    """`measured` in a process of its own."""
    results: multiprocessing.Queue[Any] = multiprocessing.Queue()
    process = multiprocessing.Process(target=measured, args=(*arguments, results))
    process.start()
    found = results.get()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of it: to see that it runs")
    options = parser.parse_args()
    accounts = options.accounts // 10 if options.quick else options.accounts
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    used, after, cpu_s, _ = apart(accounts, options.jobs, False)
    print(f"| {accounts:,} accounts of {options.jobs} jobs | for each |\n|---|---|")
    print(f"| resident, once they were used | {used / KIB:.1f} KiB |")
    print(f"| resident, once they are idle | {after / KIB:.1f} KiB |")
    print(f"| CPU, to use it | {cpu_s * 1000:.1f} ms |", flush=True)
    *_, lines = apart(accounts // 5, options.jobs, True)
    print("\n| of idle ones, traced | bytes for each |\n|---|---|")
    for place, size in lines:
        print(f"| {place} | {size:.0f} |")


if __name__ == "__main__":
    main()
