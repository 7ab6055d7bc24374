"""`conductor-mock requests`: what was asked and answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import click

from conductor_contracts.problems import count
from conductor_mock.commands.target import Target, target_options

LOOK_AGAIN_S = 1
"""How long to wait before it is asked again for what has come."""
LIMIT, MOST = 1000, 10_000
"""So many entries the server lists when nothing is said, and at once at most."""


@click.command()
@click.option("--operation", help="Only requests of this operation, such as jobs.create.")
@click.option("--method", help="Only requests of this method.")
@click.option("--path", help="Only requests whose path begins so.")
@click.option(
    "--limit", type=click.IntRange(1, MOST), help=f"At most so many, the newest.  [default: {LIMIT}]"
)
@click.option("--follow", "-f", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option("--clear", is_flag=True, help="Forget them instead.")
@target_options
def requests(target: Target, follow: bool, clear: bool, limit: int | None, **filters: str | None) -> None:
    """List the requests of an account, oldest first (--account '*': of all).

    With --follow --json each is an object on a line of its own.
    """
    if clear:
        if limit is not None or follow or any(filters.values()):
            raise click.UsageError("--clear forgets every request of the account; it takes no filter")
        target.ask("DELETE", "requests")
        target.show({"requests": []}, ["no requests any more"])
        return
    query = {**filters, "limit": None if limit is None else str(limit)}
    if follow:
        with suppress(KeyboardInterrupt):
            for entries in followed(target, query, time.sleep):
                for entry in entries:
                    target.show_line(entry, _lines([entry]))
        return
    answer = target.ask("GET", "requests", query=query)
    lines = _lines(answer["requests"]) if answer["requests"] else ["no requests"]
    target.show(answer, [*_left_out(answer, limit), *lines])


def followed(
    target: Target, query: Mapping[str, str | None], wait: Callable[[float], None]
) -> Iterator[list[dict[str, Any]]]:
    """The entries there are, then again and again those that came since, with a `wait` of seconds between."""
    entries: list[dict[str, Any]] = target.ask("GET", "requests", query=query)["requests"]
    newest = 0
    while True:
        yield entries
        newest = max((entry["id"] for entry in entries), default=newest)
        wait(LOOK_AGAIN_S)
        behind = {**query, "after": str(newest), "limit": str(MOST)}
        entries = target.ask("GET", "requests", query=behind)["requests"]


def _left_out(answer: Mapping[str, Any], limit: int | None) -> Iterator[str]:
    """What is said of requests that are not listed though nobody asked to leave them out."""
    if answer["forgotten"]:
        yield f"({count(answer['forgotten'], 'request')} before these, of whatever operation, had to make room)"
    if limit is None and len(answer["requests"]) == LIMIT:
        yield f"(the newest {LIMIT}; --limit {MOST} lists more)"


def _lines(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        operation = entry["operation"] or "no operation"
        yield (
            f"{entry['id']}  {entry['time']}  {entry['method']} {entry['path']}  {entry['status']}  "
            f"{entry['duration_ms']:g} ms  {operation}"
        )
        for warning in entry["warnings"]:
            yield f"    {warning}"
        for difference in entry.get("near_miss", {}).get("differences", ()):
            yield f"    {entry['near_miss']['operation']}: {difference['path'] or 'the body'} {difference['message']}"
