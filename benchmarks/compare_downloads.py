"""This client's downloader beside the vendor's (ciocore 9.2.0): what fetching the same outputs costs each.

    python benchmarks/compare_downloads.py [--quick] [--rounds 3]

Both fetch from the same served fake into folders of their own; the outputs were listed before, so no picture is drawn
while time is taken. Every download is a process of its own with as many threads as its client uses by default, and both
report every task, as they do by default. Medians of rounds that alternate. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from peers import parsed, print_head, print_row, vendor
from processes import MIB, Cost, costs_of, served

from conductor import ApiClient
from conductor.lib.config import Config

JOB = "00001"


@dataclass(frozen=True)
class Case:
    """What is fetched: the outputs of so many tasks; `command` makes one where they run for real (`options`)."""

    title: str
    tasks: int
    command: str = "render"
    options: tuple[str, ...] = ()
    again: bool = False


CASES = (
    Case("1,000 tasks, a picture each", 1000),
    Case("the same 1,000 again", 1000, again=True),
    Case(
        "1 x 1 GB",
        1,
        "head -c 1073741824 /dev/urandom > /proj/out/large.bin",
        ("--execute", "--execute-max-output", str(4 * 1024 * MIB)),
    ),
)
QUICK = (Case("50 tasks, a picture each", 50), Case("the same 50 again", 50, again=True))


def prepare(case: Case, environment: dict[str, str], folder: Path) -> None:
    """A job that has ended, whose outputs are listed."""
    tasks = [{"command": case.command, "frames": str(number)} for number in range(1, case.tasks + 1)]
    payload = {
        "job_title": "benchmark", "project": "default", "instance_type": "n1-standard-4", "output_path": "/proj/out",
        "tasks_data": tasks, "upload_files": [], "local_upload": True,
    }  # fmt: skip
    with ApiClient(Config.load(environ=environment, home=folder)) as client:
        client.create_job(payload)
    with requests.Session() as session:
        session.trust_env = False
        done = session.post(
            f"{environment['CONDUCTOR_URL']}/_mock/clock", json={"until": {"job": JOB}}, timeout=600
        )
    done.raise_for_status()
    fetch(ours_command(), environment, folder / "listing", folder / "home-listing", "--no-report")


def ours_command() -> list[str]:
    return [sys.executable, "-m", "conductor"]


def fetch(command: list[str], environment: dict[str, str], into: Path, home: Path, *more: str) -> Cost:
    """Fetch the job's outputs into a folder."""
    into.mkdir(exist_ok=True)
    return costs_of([*command, "download", "-o", str(into), *more, JOB], environment, home)


def files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


@contextmanager
def farm(case: Case, folder: Path) -> Iterator[dict[str, str]]:
    """A fake whose job has ended."""
    with served(folder, *case.options) as server:
        prepare(case, server.environment, folder)
        yield server.environment


def measure(case: Case, commands: dict[str, list[str]], rounds: int, folder: Path) -> dict[str, list[Cost]]:
    """The costs of a case for each client, by name."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    with farm(case, folder) as environment:
        for number in range(rounds):
            for name in commands if number % 2 else reversed(commands):
                into, home = folder / f"{name}-{number}", folder / f"home-{name}-{number}"
                cost = fetch(commands[name], environment, into, home)
                if case.again:
                    cost = fetch(commands[name], environment, into, home)
                if files(into) != case.tasks:
                    raise SystemExit(f"{name} left {files(into)} files of {case.tasks}")
                costs[name].append(cost)
    return costs


def main() -> None:
    options = parsed(__doc__)
    rounds = 1 if options.quick else options.rounds
    theirs = vendor()
    commands = {"ours": ours_command(), "theirs": [str(theirs.python.with_name("conductor"))]}
    print_head("download", theirs, rounds)
    for case in QUICK if options.quick else CASES:
        if options.only not in case.title:
            continue
        with tempfile.TemporaryDirectory(prefix="conductor-compare-") as name:
            costs = measure(case, commands, rounds, Path(name))
        print_row(case.title, costs["ours"], costs["theirs"])


if __name__ == "__main__":
    main()
