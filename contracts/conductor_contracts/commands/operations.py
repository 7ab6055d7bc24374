"""``conductor-contracts list`` and ``show``: the operations of the contract, and all that is known of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from conductor_contracts.contract import Contract, load
from conductor_contracts.evidence import tags_of
from conductor_contracts.interactions import load_interactions
from conductor_contracts.operation import Operation, advice_on_operation
from conductor_contracts.printing import echo
from conductor_contracts.problems import clip

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("list")
@_json
def list_command(as_json: bool) -> None:
    """List the operations, with how well each is known and how many interactions try it."""
    counts: dict[str | None, int] = {}
    for interaction in load_interactions():
        counts[interaction.operation] = counts.get(interaction.operation, 0) + 1
    rows = [
        (each.id, each.method, each.path, each.evidence, str(counts.get(each.id, 0)))
        for each in load().operations.values()
    ]
    headings = ("operation", "method", "path", "evidence", "interactions")
    if as_json:
        _echo_json([{**dict(zip(headings, row, strict=True)), "interactions": int(row[-1])} for row in rows])
    else:
        _echo_table(headings, rows)


@click.command("show")
@click.argument("operation")
@_json
def show_command(operation: str, as_json: bool) -> None:
    """Show one operation: its statuses, fields with their evidence, and interactions."""
    contract = load()
    found = contract.operations.get(operation)
    if found is None:
        problem = (
            f"there is no operation {clip(operation)!r}{advice_on_operation(operation, contract.operations)}"
        )
        raise click.UsageError(problem)
    if as_json:
        _echo_json(_as_json(found, contract))
        return
    for line in _description(found, contract):
        echo(line, raw=True)
    rows = [row for row in contract.fidelity() if row.operation == operation]
    _echo_table(
        ("part", "name", "evidence", "source"), [(row.part, row.name, row.grade, row.source) for row in rows]
    )
    echo("\nevidence", raw=True)
    _echo_list(
        [(grade, text) for grade, text in contract.grades.items() if grade in {row.grade for row in rows}]
    )
    echo("\ntags of the sources (docs/wire-protocol.md#tags)", raw=True)
    used = {tag for row in rows for tag in tags_of(row.source)}
    _echo_list([(f"[{tag.name}]", tag.means) for tag in contract.tags if tag.name in used])
    echo("\ninteractions", raw=True)
    for interaction in load_interactions():
        if interaction.operation == operation:
            echo(f"  {interaction.name}")


def _as_json(operation: Operation, contract: Contract) -> dict[str, Any]:
    rows = [row for row in contract.fidelity() if row.operation == operation.id]
    return {
        "operation": operation.id,
        "method": operation.method,
        "path": operation.path,
        "summary": operation.summary,
        "description": operation.description,
        "statuses": list(operation.statuses),
        "authentication": operation.authentication,
        "retry": operation.retry,
        "clients": list(operation.clients),
        "traps": list(operation.traps),
        "fields": [
            {"part": row.part, "name": row.name, "evidence": row.grade, "source": row.source} for row in rows
        ],
        "interactions": [each.name for each in load_interactions() if each.operation == operation.id],
    }


def _echo_json(value: Any) -> None:
    echo(json.dumps(value, indent=2), raw=True)


def _echo_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        echo("  ".join(cells).rstrip())


def _echo_list(rows: Sequence[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        echo(f"  {name.ljust(width)}  {text}")


def _description(operation: Operation, contract: Contract) -> list[str]:
    traps = ", ".join(map(str, operation.traps))
    return [
        f"{operation.id}: {operation.method} {operation.path}",
        operation.summary,
        operation.description,
        f"answers {', '.join(map(str, operation.statuses))}; token {operation.authentication}",
        f"retry {operation.retry}: {contract.retries[operation.retry]}",
        f"clients {', '.join(operation.clients)}",
        f"traps {traps} (of section 9 of docs/wire-protocol.md)" if traps else "traps none",
        "",
    ]
