"""What commands share: the JSON option, and lists of records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Give a command the option ``--json``, as the parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value))


def print_records(records: Iterable[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    """Print records as JSON, or as columns that other programs can cut too."""
    rows = list(records)
    if as_json:
        print_json(rows)
        return
    cells = [columns, *(tuple(str(row.get(column, "")) for column in columns) for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
