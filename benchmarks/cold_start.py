"""What a cold `serve` costs until it answers `/_mock/health`, beside importing its dependencies: CPU seconds.

    python benchmarks/cold_start.py [--rounds 5] [--before CHECKOUT]

Each round starts every program once, in turn, with bytecode that a round before them has written. Prints Markdown for
docs/figures.md: the least of all rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import psutil

ROOT = Path(__file__).parents[1]
LONGEST_S = 120
DEPENDENCIES = (
    "cheroot.wsgi, click, filelock, flask, jsonschema_rs, jwt, platformdirs, re2, requests, sqlalchemy, "
    "sqlalchemy.dialects.sqlite, yaml"
)


def importing(environment: Mapping[str, str]) -> float:
    """What a Python costs that imports the dependencies."""
    program = f"import {DEPENDENCIES}, os; t = os.times(); print(t.user + t.system)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def serving(checkout: Path, environment: Mapping[str, str]) -> float:
    """What the server of a checkout has cost when it has answered its first request."""
    paths = os.pathsep.join(str(checkout / part) for part in ("mock_server", "contracts", "client"))
    quiet = subprocess.DEVNULL
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        options = ["--ephemeral", "--port", "0", "--ready-file", str(ready)]
        command = [sys.executable, "-m", "conductor_mock", "serve", *options]
        server = subprocess.Popen(
            command, env={**environment, "PYTHONPATH": paths}, stdout=quiet, stderr=quiet
        )
        try:
            with urlopen(f"{url_of(ready)}/_mock/health", timeout=LONGEST_S) as answer:
                answer.read()
            spent = psutil.Process(server.pid).cpu_times()
            return spent.user + spent.system
        finally:
            server.terminate()
            server.wait()


def url_of(ready: Path) -> str:
    """Where a server listens, as soon as it has said so."""
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        with suppress(OSError, ValueError, LookupError):
            return str(json.loads(ready.read_text(encoding="utf-8"))["url"])
        time.sleep(0.05)
    raise SystemExit("the server does not start")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="another checkout")
    given = parser.parse_args()
    programs: dict[str, Callable[[Mapping[str, str]], float]] = {"importing its dependencies": importing}
    if given.before:
        programs["the server before"] = partial(serving, given.before.resolve())
    programs["the server"] = partial(serving, ROOT)
    spent: dict[str, list[float]] = {what: [] for what in programs}
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(given.rounds + 1):
            for what, run in programs.items():
                seconds = run(environment)
                if number:  # the round before the first compiles
                    spent[what].append(seconds)
    least = {what: min(seconds) for what, seconds in spent.items()}
    print("| what | seconds | of the first |\n|---|---|---|")
    for what, seconds in least.items():
        print(f"| {what} | {seconds:.2f} | {seconds / least['importing its dependencies']:.2f} |")


if __name__ == "__main__":
    main()
