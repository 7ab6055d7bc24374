"""``conductor usage``: what rendering and storage cost, by day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from conductor.commands.common import LocalPath, day_option, json_option, print_json, write_file
from conductor.commands.printing import can_show, echo
from conductor.commands.tables import Column, print_table

Row = dict[str, Any]

_COMPUTE = (
    Column("day"),
    Column("minutes", right=True),
    Column("core_hours", heading="core hours", right=True),
    Column("instance_cost", heading="instances", right=True),
    Column("license_cost", heading="licences", right=True),
    Column("cost", right=True),
    Column("currency"),
)
_STORAGE = (
    Column("day"),
    Column("gib", heading="GiB", right=True),
    Column("cost", right=True),
    Column("currency"),
)


@click.command()
@day_option("since", "The first day, such as 2026-11-22.  [default: 29 days before the last]")
@day_option("until", "The last day.  [default: today, UTC]")
@click.option("--storage", is_flag=True, help="Storage instead of rendering.")
@click.option("--plot", is_flag=True, help="Draw the costs by day instead of a table.")
@click.option("--png", type=LocalPath(), help="Draw them into this file.")
@json_option
def usage(
    since: date | None, until: date | None, storage: bool, plot: bool, png: Path | None, as_json: bool
) -> None:
    """Show what rendering, or storage, cost on each day."""
    last = until or datetime.now(timezone.utc).date()
    first = since or last - timedelta(29)
    columns, find = (_STORAGE, _storage_rows) if storage else (_COMPUTE, _compute_rows)
    rows, currency = find(first, last)
    if png is not None:
        from conductor.commands.plot import bar_chart

        title = f"{'storage' if storage else 'rendering'} in {currency}, {first} to {last}"
        write_file(png, bar_chart(_days(rows, first, last), title))
        echo(f"wrote {png}", err=True)
    if as_json:
        print_json(rows)
    elif plot:
        _draw(_days(rows, first, last), currency)
    elif png is None:
        total = {column.key: sum(row[column.key] for row in rows) for column in columns[1:-1]}
        shown = [*rows, {"day": "total", **total, "currency": currency}]
        print_table(columns, ({key: _shown(value) for key, value in row.items()} for row in shown))


def _compute_rows(first: date, last: date) -> tuple[list[Row], str]:
    from conductor.lib.usage import CURRENCY, get_compute_usage

    by_day: dict[str, Row] = {}
    for usage in get_compute_usage(first, last):
        day = usage.start.astimezone(timezone.utc).date().isoformat()
        row = by_day.setdefault(
            day,
            {
                "day": day,
                **dict.fromkeys((column.key for column in _COMPUTE[1:-1]), 0.0),
                "currency": CURRENCY,
            },
        )
        row["minutes"] += usage.minutes
        row["core_hours"] += usage.cores
        row["instance_cost"] += usage.instance_cost
        row["license_cost"] += usage.license_cost
        row["cost"] += usage.cost
    return list(by_day.values()), CURRENCY


def _storage_rows(first: date, last: date) -> tuple[list[Row], str]:
    from conductor.lib.usage import get_storage_usage

    usage = get_storage_usage(first, last)
    rows = [
        {"day": day.day.isoformat(), "gib": day.gibs, "cost": day.cost, "currency": usage.currency}
        for day in usage.days
    ]
    return rows, usage.currency


def _days(rows: Iterable[Row], first: date, last: date) -> list[tuple[str, float]]:
    """Return the cost of every day from first to last, those without any too."""
    costs = {row["day"]: row["cost"] for row in rows}
    days = [(first + timedelta(number)).isoformat() for number in range((last - first).days + 1)]
    return [(day, costs.get(day, 0.0)) for day in days]


def _draw(days: list[tuple[str, float]], currency: str, write: Callable[[str], None] = echo) -> None:
    import shutil

    block = "█" if can_show("█") else "#"
    most = max((cost for _, cost in days), default=0.0)
    width = max(10, min(100, shutil.get_terminal_size().columns) - 28)
    for day, cost in days:
        bar = block * round(width * cost / most) if most else ""
        write(f"{day}  {_shown(cost):>9} {currency}  {bar}".rstrip())


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
