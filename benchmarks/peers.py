"""This client beside the vendor's: who is compared, and how a comparison is printed."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from processes import Cost

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Client:
    """A client: its name in the tables, its interpreter, and the package that its functions lie in."""

    name: str
    python: Path
    package: str


def vendor() -> Client:
    """The vendor's client in the environment that the tests make for it."""
    sys.path.insert(0, str(ROOT / "tests"))
    from vendor.environments import CURRENT, installed

    return Client(f"ciocore {CURRENT}", installed(CURRENT).python, "ciocore")


def median(costs: list[Cost], figure: Callable[[Cost], float]) -> float:
    return statistics.median(figure(cost) for cost in costs)


def wall_of(cost: Cost) -> float:
    return cost.wall_s


def cpu_of(cost: Cost) -> float:
    return cost.cpu_s


def peak_of(cost: Cost) -> float:
    return cost.peak_mib


def parsed(description: str | None) -> argparse.Namespace:
    """The options that every comparison has: `quick`, `rounds`, `only`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: to see that it runs")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--only", default="", help="only cases whose title holds this text")
    return parser.parse_args()


def print_head(what: str, theirs: Client, rounds: int, *, floor: bool = False) -> None:
    """Where and when, and the head of the table; `floor` for two more columns."""
    print(
        f"{datetime.now(timezone.utc).date()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {theirs.name}, median of {rounds}, load {os.getloadavg()[0]:.1f}\n"
    )
    more = ("| floor wall s | floor CPU s |", "---|---|") if floor else ("|", "")
    print(
        f"| {what} | wall s | theirs | ratio | CPU s | theirs | ratio | peak MiB | theirs | ratio {more[0]}"
    )
    print(f"|---|---|---|---|---|---|---|---|---|---|{more[1]}")


def print_row(title: str, ours: list[Cost], theirs: list[Cost], floor: list[Cost] | None = None) -> None:
    """One line of the table."""
    cells = [title]
    for figure, digits in ((wall_of, 2), (cpu_of, 2), (peak_of, 0)):
        mine, other = median(ours, figure), median(theirs, figure)
        cells += [f"{mine:.{digits}f}", f"{other:.{digits}f}", f"**{other / mine:.1f}**"]
    if floor:
        cells += [f"{median(floor, wall_of):.2f}", f"{median(floor, cpu_of):.2f}"]
    print(f"| {' | '.join(cells)} |", flush=True)
