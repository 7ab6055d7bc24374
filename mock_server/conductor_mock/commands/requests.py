"""`conductor-mock requests`: what was asked and answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from conductor_mock.commands.target import Target, target_options


@click.command()
@click.option("--operation", help="Only requests of this operation, such as jobs.create.")
@click.option("--method", help="Only requests of this method.")
@click.option("--path", help="Only requests whose path begins so.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="At most so many, the newest.  [default: 1000]")
@click.option("--clear", is_flag=True, help="Forget them instead.")
@target_options
def requests(target: Target, clear: bool, limit: int | None, **filters: str | None) -> None:
    """List the requests of an account, oldest first (--account '*': of all)."""
    if clear:
        if limit is not None or any(filters.values()):
            raise click.UsageError("--clear forgets every request of the account; it takes no filter")
        target.ask("DELETE", "requests")
        target.show({"requests": []}, ["no requests any more"])
        return
    query = {**filters, "limit": None if limit is None else str(limit)}
    answer = target.ask("GET", "requests", query=query)
    target.show(answer, _lines(answer["requests"]))


def _lines(entries: list[dict[str, Any]]) -> Iterator[str]:
    if not entries:
        yield "no requests"
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
