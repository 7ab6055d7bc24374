"""Tables: for people on a terminal, and as plain columns that other programs can cut."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conductor.commands.printing import can_show, echo
from conductor.lib.statuses import SUCCEEDED, JobStatus

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: Mapping[str, str] = {
    **dict.fromkeys((*SUCCEEDED, "active"), "green"),
    **dict.fromkeys((JobStatus.FAILED, JobStatus.SYNC_FAILED, JobStatus.KILLED), "red"),
    **dict.fromkeys((JobStatus.PREEMPTED, JobStatus.HOLDING, "inactive"), "yellow"),
    **dict.fromkeys((JobStatus.RUNNING, JobStatus.UPLOADING, JobStatus.SYNCING), "cyan"),
}


_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True)
class Column:
    """A column: the key of its values, which is its heading in a pipe too.

    On a terminal ``right`` aligns it, ``cut`` lets it be cut short where there is no room (the first such column
    first), ``wide`` leaves it out of narrower terminals, and ``coloured`` colours it by what it says.
    """

    key: str
    heading: str = ""
    right: bool = False
    cut: bool = False
    wide: int = 0
    coloured: bool = False


def on_terminal() -> bool:
    """Say whether the standard output is seen by a person."""
    return sys.stdout.isatty()


def print_table(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows with the headings of their columns."""
    if not on_terminal():
        print_plain(columns, rows)
        return
    print_rich(columns, rows, _console())


def _console() -> Console:
    from rich.console import Console

    # With its file, whose encoding rich goes by.
    return Console(file=sys.stdout, highlight=False, width=shutil.get_terminal_size().columns)


def print_plain(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print everything in full, two spaces between columns, one line for each row."""
    shown = list(columns)
    lines = [[column.key for column in shown]]
    lines += [[printable(row.get(column.key)) for column in shown] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(shown))]
    for line in lines:
        echo(_GAP.join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def print_rich(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]], console: Console) -> None:
    """Print a table that fits the console where its cut columns allow that, each row on one line."""
    from rich.cells import cell_len
    from rich.text import Text

    shown = [column for column in columns if console.width >= column.wide]
    lines = [[Text((column.heading or column.key).upper(), style="bold") for column in shown]]
    for row in rows:
        texts = [printable(row.get(column.key)) for column in shown]
        styles = (_STYLES.get(text, "") if column.coloured else "" for column, text in zip(shown, texts))
        lines.append(list(map(Text, texts, styles)))
    widths = [max(cell_len(cell.plain) for cell in cells) for cells in zip(*lines)]
    widths = _fitted(shown, widths, console.width)
    for line in lines:
        for column, cell, width in zip(shown, line, widths):
            cell.truncate(width, overflow="ellipsis" if can_show("…") else "crop")
            cell.align("right" if column.right else "left", width)
        # A line that is too long all the same is left to the terminal.
        console.print(Text(_GAP).join(line), soft_wrap=True)


def _fitted(columns: list[Column], widths: list[int], room: int) -> list[int]:
    """Return the widths with those of cut columns reduced, in order, until all of them fit."""
    spare = room - sum(widths) - len(_GAP) * (len(widths) - 1)
    fitted = []
    for column, width in zip(columns, widths):
        kept = min(width, max(_NARROWEST, width + spare)) if column.cut and spare < 0 else width
        spare += width - kept
        fitted.append(kept)
    return fitted


def printable(value: object) -> str:
    """Return a value as one line that cannot steer a terminal; nothing for None."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)
