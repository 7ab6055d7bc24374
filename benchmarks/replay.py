"""How long others wait while the log of one account is replayed after a crash.

    python benchmarks/replay.py [--tasks 100000] [--quick]

One account has a job whose tasks are listed one by one, half of a day of it simulated, and no snapshot. It is used by
one thread, while another one asks for the jobs of its own account. What counts is the processor time that the replay
had between two answers: other work of the machine does not lengthen it. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import platform
import statistics
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from conductor_mock.farm import fold
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import ClockSet, JobCreated
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.values import Machine
from conductor_mock.service import open_service
from conductor_mock.settings import Settings
from conductor_mock.store.turns import give_way_sparingly

MACHINE = Machine("n1-standard-4", 4, 200_000, 50_000, 7_000, 100)
FLEET = 2000
STEPS = 50
"""Commands by which the clock is advanced: as many as a long advance has slices."""


def payload(tasks: int) -> dict[str, Any]:
    return {
        "job_title": "replayed", "project": "default", "instance_type": MACHINE.name, "output_path": "/out",
        "tasks_data": [{"command": f"render -f {n} /proj/film/scene_{n}.ma", "frames": str(n)} for n in range(tasks)],
        "preemptible": True, "autoretry_policy": {"preempted": {"max_retries": 3}},
    }  # fmt: skip


def fill(folder: Path, tasks: int) -> None:
    """A log to replay, by a server that crashes."""
    service = open_service(Settings(data_dir=folder, speed=0, fleet=FLEET))
    accounts = service.accounts
    accounts._snapshots.take_if_due = lambda *_: None  # type: ignore[method-assign]  # none is to be there
    for name in ("busy", "neighbour"):
        accounts.sign_in(name, name)
    with accounts.open(account_id("busy")) as account:
        account.append(JobCreated(payload(tasks), "", MACHINE))
        day_us = tasks * 5 * 60 * SECOND // FLEET
        for _ in range(STEPS):
            now_us = account.state.now_us + day_us // 2 // STEPS
            account.append(ClockSet(Anchor(service.wall(), now_us, 0)))
    accounts.drop_states()
    service.close()


def waits(folder: Path) -> tuple[float, list[float], int]:
    """CPU seconds of the replay, those between two answers of the neighbour, and how often it gave way."""
    turns = 0

    def counted() -> None:
        nonlocal turns
        turns += 1
        give_way_sparingly()

    service = open_service(Settings(data_dir=folder), give_way=counted)
    with contextlib.closing(service):
        gc.collect()
        with service.accounts.open(account_id("neighbour")):
            pass
        begun, done = threading.Event(), threading.Event()

        def use() -> None:
            begun.set()
            with service.accounts.open(account_id("busy")):
                pass
            took.append(time.thread_time())
            done.set()
            over.wait()

        took: list[float] = []
        over = threading.Event()
        thread = threading.Thread(target=use)
        thread.start()
        begun.wait()
        assert thread.ident is not None
        clock = time.pthread_getcpuclockid(thread.ident)
        between, last = [], 0.0
        while not done.is_set():
            with service.accounts.open(account_id("neighbour")) as account:
                fold.advance(account.state, account.state.now_us)
            now = time.clock_gettime(clock)
            between.append(now - last)
            last = now
            time.sleep(0.001)
        over.set()
        thread.join()
    return took[0], between, turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of it: to see that it runs")
    options = parser.parse_args()
    tasks = options.tasks // 10 if options.quick else options.tasks
    logging.disable(logging.WARNING)
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        fill(Path(name), tasks)
        cpu_s, between, turns = waits(Path(name))
    print(f"| replay of a job of {tasks:,} tasks | |\n|---|---|")
    print(f"| its CPU | {cpu_s:.2f} s |")
    print(f"| ... between two answers to another account, longest | {max(between) * 1000:.0f} ms |")
    print(f"| ... median | {statistics.median(between) * 1000:.1f} ms, of {len(between)} |")
    print(f"| turns given to others | {turns} |")


if __name__ == "__main__":
    main()
