"""What one very large job costs the server: CPU and memory at most, beside another checkout.

    python benchmarks/large_job.py [--count 100000] [--rounds 3] [--before CHECKOUT]

Each round is a server of its own for each checkout, in turn, which keeps its data and is sent one job of so many tasks
and files. Memory is the most that was resident since right before the job, the server itself included. Prints Markdown
for docs/figures.md: the least CPU of all rounds, the median of the memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from processes import served
from service import accept_large_job, large_body, signed_in

from conductor_mock.store.keys import load_or_create


def once(body: bytes, sources: str | None) -> tuple[float, float, float]:
    """Seconds of CPU for the job, MiB that were resident before it, MiB at most."""
    with tempfile.TemporaryDirectory(prefix="conductor-bench-") as name:
        folder = Path(name)
        with served(folder, sources=sources) as server:
            session, _ = signed_in(server, load_or_create(folder / "data"))
            server.start_measuring()
            before = server.measured()[1]
            accept_large_job(server, session, body)
            return server.measured()[0], before, server.measured()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="tasks, and files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="another checkout of this project")
    options = parser.parse_args()
    subjects: dict[str, str | None] = {"now": None}
    if options.before is not None:
        parts = ("mock_server", "contracts", "client")
        subjects = {"before": os.pathsep.join(str(options.before / part) for part in parts), **subjects}
    body = large_body(options.count)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in subjects}
    for _ in range(options.rounds):
        for name, sources in subjects.items():
            found[name].append(once(body, sources))
    today = datetime.now(timezone.utc).date()
    print(f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    print(f"A job of {options.count:,} tasks and files, {len(body) / 1e6:.0f} MB of JSON:\n")
    print("| checkout | CPU s | MiB before | MiB at most |\n|---|---|---|---|")
    for name, rows in found.items():
        cpu_s, before, peak = zip(*rows, strict=True)
        print(
            f"| {name} | {min(cpu_s):.2f} | {statistics.median(before):.0f} | {statistics.median(peak):.0f} |"
        )


if __name__ == "__main__":
    main()
