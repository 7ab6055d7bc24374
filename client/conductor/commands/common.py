"""What commands share: the JSON option, lists of records, ids from the command line, paths, files that are written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conductor.commands.printing import echo
from conductor.lib.exceptions import BadArgumentError, InvalidPathError, Problem

if TYPE_CHECKING:
    from conductor.commands.tables import Column

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_TASKS = 100_000
NO_PATH = "a path is empty; is it a variable that is not set?"


def json_option(command: Command) -> Command:
    """Give a command the option ``--json``, as the parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    echo(json.dumps(value, default=str), raw=True)


def print_records(
    records: Iterable[Mapping[str, Any]], columns: Iterable[Column | str], as_json: bool
) -> None:
    """Print records as JSON, or as a table of some of their fields."""
    rows = list(records)
    if as_json:
        print_json(rows)
        return
    from conductor.commands.tables import Column, print_table  # of no use to a command that prints none

    print_table([column if isinstance(column, Column) else Column(column) for column in columns], rows)


class LocalPath(click.Path):
    """A file or folder of this machine that a command is given: ``~`` is a home, and empty text is no path.

    Empty text is what a shell makes of a variable that is not set; taken as a path it would be the current directory.
    """

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(path_type=Path, allow_dash=allow_dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        from conductor.lib.files.local_paths import home_expanded

        if isinstance(value, str):
            if not value:
                self.fail(NO_PATH, param, ctx)
            value = home_expanded(value)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A finite number of seconds in a range; ``nan`` is in every range of click's, and nobody waits so long."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return number


def absolute(path: str, option: str = "") -> str:
    """Return what a shell user means by a relative path; one that begins with a variable is left for later.

    Raises InvalidPathError, with the name of the option, for empty text, which would be the current directory with all
    that is below it.
    """
    from conductor.lib.files.local_paths import home_expanded

    if not path:
        raise InvalidPathError(f"{option}: {NO_PATH}" if option else NO_PATH)
    if os.path.lexists(path):
        return str(Path(path).absolute())
    return path if path.startswith("$") else str(Path(home_expanded(path)).absolute())


def task_numbers(texts: Iterable[str]) -> list[int]:
    """Return the tasks that texts such as ``3``, ``003,7`` and ``10-19x2`` name, in the order given.

    Raises BadArgumentError for text that names none, and for more tasks than ``MOST_TASKS``.
    """
    from conductor.lib.values.frames import parse_frames

    numbers: list[int] = []
    for text in texts:
        with suppress(ValueError):
            ranges = parse_frames(text)
            fits = sum(map(len, ranges)) + len(numbers) <= MOST_TASKS
            if ranges and fits and all(span[0] >= 0 for span in ranges):
                numbers += [number for span in ranges for number in span]
                continue
        raise BadArgumentError.listing(
            [Problem("--task-id", repr(text)[:80], "tasks such as 3, 003,7 or 10-19x2")]
        )
    return numbers


def day_option(name: str, help_text: str) -> Callable[[Command], Command]:
    """Return an option that takes a day such as 2026-11-22, as a ``date`` or None."""

    def as_day(_: click.Context, __: click.Parameter, day: datetime | None) -> date | None:
        return None if day is None else day.date()

    return click.option(
        f"--{name}", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", callback=as_day, help=help_text
    )


def write_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole. Raises InvalidPathError if it cannot be written, or is there and no file."""
    from conductor.lib.files.replacing import replace_file

    if path.exists() and not path.is_file():
        # Else a device such as /dev/null would be replaced too.
        raise InvalidPathError(f"{path} cannot be written: it is there and is not a regular file")
    reason = ""
    try:
        replace_file(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise InvalidPathError(f"{path} cannot be written: {reason}")
