"""What a page costs the server, with many jobs and a job of many tasks: `python benchmarks/pages.py [JOBS] [TASKS]`.

Processor time of the best of five, without a socket, and the size of the answer. Prints the table of docs/figures.md.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.filled import frames
from support.server import ApiCaller, Fake, running

PATHS = (
    *(
        "/",
        "/?sort=cost",
        "/?text=job%209",
        "/job/BIG",
        "/job/BIG?page=20",
        "/jobs/BIG/5000",
        "/job/BIG/player",
    ),
    *("/clock", "/clock?at=60", "/usage", "/mails", "/search?q=job", "/requests", "/files", "/faults"),
    *("/fidelity", "/fidelity?grade=inferred", "/packages", "/machines", "/connect"),
)
TRIES = 5


def large_account(fake: Fake, jobs: int, tasks: int) -> ApiCaller:
    """An account of so many jobs of one task that have ended, and one of many tasks, some of which run."""
    caller = fake.newcomer()
    account = {"account": caller.client_id}
    for number in range(jobs):
        caller.submit(job_title=f"job {number}", owner=f"user {number % 5}", tasks_data=frames(1))
    caller.post("/_mock/clock", {"until": "idle"}, query=account)
    caller.submit(job_title="big", preemptible=True, tasks_data=frames(tasks))
    caller.post("/_mock/clock", {"advance": 100}, query=account)
    return caller


def main(jobs: int = 10_000, tasks: int = 10_000) -> None:
    """Submit them, let them run, and look at every page."""
    with running() as fake:
        caller = large_account(fake, jobs, tasks)
        print("| page | ms | kB |\n|---|---|---|")
        for path in PATHS:
            address, _, query = path.replace("BIG", str(jobs + 1)).partition("?")
            took = []
            for _ in range(TRIES):
                began = time.process_time()
                answer = caller.get(f"{address}?{query}&account={caller.client_id.replace(' ', '%20')}")
                took.append(time.process_time() - began)
                assert answer.status == 200, path
            print(f"| `{path}` | {min(took) * 1000:.0f} | {len(answer.content) / 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
