"""What an account costs that nobody uses: memory of the server for each of ten thousand, and what holds it.

    python benchmarks/accounts.py [--accounts 10000] [--jobs 3] [--traced 2200] [--quick]

Every account signs in, submits jobs and is not asked for again. After each tenth of them all idle, and the resident
memory of the process is read. No more than a tenth may be in memory at once, so that after the first tenth there was as
much in it as there ever is: what a process once had it gives to the next account, hardly ever back to the system. What
is traced is what Python's own allocator holds, by the line that made it. Prints Markdown for docs/figures.md.
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
from datetime import datetime, timezone
from pathlib import Path

from werkzeug.test import Client

from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.settings import Quotas, Settings

KIB = 1024
MIB = 1024 * KIB
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


def measured(accounts: int, jobs: int, traced: bool) -> None:
    """Print the memory after each tenth; or, traced, what holds it after the last in place of after the first half.

    By then the tokens that are remembered are as many as there may be, if there are 2,048 accounts or more.
    """
    logging.disable(logging.WARNING)
    tenth = accounts // 10
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        settings = Settings(
            data_dir=Path(name), quotas=Quotas(accounts=accounts + 1), max_open_accounts=tenth
        )
        app = create_app(settings)
        client, service = Client(app), service_of(app)
        use(client, "to begin with", jobs)
        if traced:
            tracemalloc.start()
        else:
            print(
                f"| accounts of {jobs} jobs | MiB, all idle | KiB for each since the first tenth | CPU ms |"
            )
            print(f"|---|---|---|---|\n| 1 | {resident() / MIB:.1f} | | |", flush=True)
        first = 0
        earlier = None
        for done in range(tenth, 10 * tenth + 1, tenth):
            began = time.process_time()
            for number in range(done - tenth, done):
                use(client, f"user {number}", jobs)
            service.accounts.close_unused(0)
            cpu_ms = (time.process_time() - began) / tenth * 1000
            gc.collect()
            first = first or resident()
            if traced and done == 5 * tenth:
                earlier = tracemalloc.take_snapshot()
            elif not traced:
                each = "" if done == tenth else f"{(resident() - first) / (done - tenth) / KIB:.2f}"
                print(f"| {done:,} | {resident() / MIB:.1f} | {each} | {cpu_ms:.1f} |", flush=True)
        if earlier is not None:
            found = tracemalloc.take_snapshot().compare_to(earlier, "lineno")
            held = [(one.traceback[0], one.size_diff / (5 * tenth)) for one in found]
            print("\n| of idle ones, traced | bytes for each |\n|---|---|")
            print(f"| all of it | {sum(size for _, size in held):.0f} |")
            for place, size in held[:LINES]:
                print(f"| {Path(place.filename).name}:{place.lineno} | {size:.0f} |")
        close_app(app)


def apart(*arguments: object) -> None:
    """`measured` in a process of its own."""
    process = multiprocessing.Process(target=measured, args=arguments)
    process.start()
    process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of it: to see that it runs")
    parser.add_argument("--traced", type=int, default=2200, help="accounts for the second table; 0 is none")
    options = parser.parse_args()
    accounts = options.accounts // 10 if options.quick else options.accounts
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    apart(accounts, options.jobs, False)
    if options.traced:
        apart(options.traced, options.jobs, True)


if __name__ == "__main__":
    main()
