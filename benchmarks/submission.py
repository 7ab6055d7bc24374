"""What a submission costs: wall time, CPU and peak memory, client and server apart.

    make bench            (or: python benchmarks/submission.py [--quick])

Each submission is a process of its own against a fresh served fake, so the client's figures hold its start. Prints
Markdown for docs/figures.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from processes import MIB, Cost, Served, costs_of, make_files, served

SUBMIT = """
import sys
from conductor.lib import conductor_submit
response, code = conductor_submit.Submit({
    "job_title": "benchmark", "project": "default", "instance_type": "n1-standard-4",
    "tasks_data": [{"command": "true", "frames": "1"}], "output_path": "/tmp/output", "upload_paths": [sys.argv[1]],
}).main()
assert code == 201, (code, response)
"""


def submission(server: Served, folder: Path, files: Path) -> tuple[Cost, tuple[float, float]]:
    """Submit what lies below `files`: the cost of the client, and CPU and memory of the server."""
    server.start_measuring()
    client = costs_of([sys.executable, "-c", SUBMIT, str(files)], server.environment, folder / "home")
    return client, server.measured()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: to see that it runs")
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


if __name__ == "__main__":
    main()
