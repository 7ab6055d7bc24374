"""Tables: plain columns for programs, and what fits a terminal for people."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from conductor.commands.tables import Column, print_plain, print_rich, printable

COLUMNS = (Column("id"), Column("n", heading="count", right=True), Column("title", cut=True))
ROWS = [
    {"id": "1", "n": 5, "title": "short"},
    {"id": "22", "n": 1000, "title": "a title that is long", "more": 1},
]


def on_console(width: int, columns: tuple[Column, ...] = COLUMNS, *, colour: bool = False) -> list[str]:
    """The lines of the table on a console so wide."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
    )
    print_rich(columns, ROWS, console)
    return stream.getvalue().splitlines()


def test_a_pipe_gets_everything_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    print_plain(COLUMNS, ROWS)
    assert capsys.readouterr().out == "id  n     title\n1   5     short\n22  1000  a title that is long\n"


def test_a_wide_terminal_too_with_numbers_to_the_right() -> None:
    assert [line.rstrip() for line in on_console(80)] == [
        *("ID  COUNT  TITLE", "1       5  short", "22   1000  a title that is long")
    ]


def test_a_narrow_terminal_cuts_what_may_be_cut_and_nothing_else() -> None:
    assert on_console(20) == ["ID  COUNT  TITLE    ", "1       5  short    ", "22   1000  a title …"]


def test_a_column_is_not_cut_below_what_can_be_read() -> None:
    assert on_console(5)[2] == "22   1000  a title…"


def test_columns_for_wide_terminals_are_left_out_of_others() -> None:
    columns = (Column("id"), Column("n", wide=60), Column("title", cut=True))
    assert "N" in on_console(60, columns)[0].split()
    assert "N" not in on_console(59, columns)[0].split()


def test_a_status_is_coloured_and_text_that_looks_like_markup_is_not() -> None:
    columns = (Column("title", coloured=True),)
    statuses = [{"title": "failed"}, {"title": "[red]x[/red]"}]
    stream = io.StringIO()
    print_rich(
        columns, statuses, Console(file=stream, force_terminal=True, color_system="standard", width=40)
    )
    assert "\x1b[31mfailed" in stream.getvalue()
    assert "[red]x[/red]" in stream.getvalue()


def test_a_table_without_rows_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_plain(COLUMNS, [])
    assert capsys.readouterr().out == "id  n  title\n"
    stream = io.StringIO()
    print_rich(COLUMNS, [], Console(file=stream, width=80))
    assert stream.getvalue().split() == ["ID", "COUNT", "TITLE"]


@pytest.mark.parametrize(
    ("value", "text"), [("a\x1b[2Jb\nc", "a [2Jb c"), (None, ""), (0, "0"), ("é 漢", "é 漢")]
)
def test_what_is_printed_is_one_line_that_cannot_steer_the_terminal(value: object, text: str) -> None:
    assert printable(value) == text
