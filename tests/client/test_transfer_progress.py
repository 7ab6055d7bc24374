"""How far a transfer is, in words."""

from __future__ import annotations

import sys

import pytest

from conductor.commands.transfer_progress import Lines, described, shown_progress, size_text
from conductor.lib.progress import Progress


def at(seconds: float, done: int = 500) -> Progress:
    return Progress(done_files=1, files=2, done_bytes=done, bytes=1000, seconds=seconds)


def test_files_bytes_rate_and_the_time_left_are_said() -> None:
    assert described(at(5.0)) == "1 of 2 files, 500 bytes of 1.0 kB, 100 bytes/s, 5 s left"


def test_nothing_is_said_about_the_time_left_where_nothing_tells_it() -> None:
    assert described(at(0.0)) == "1 of 2 files, 500 bytes of 1.0 kB, 0 bytes/s"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2.5e6, "2.5 MB"),
        (1e9, "1.0 GB"),
        (3e15, "3000.0 TB"),
    ],
)
def test_sizes_are_for_people(count: float, text: str) -> None:
    assert size_text(count) == text


def test_in_a_pipe_there_is_a_line_every_few_seconds_of_each_transfer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines("downloading")
    for second in (0.1, 4.9, 5.0, 6.0, 9.9, 10.5, 0.2, 1.0, 5.5):
        lines(at(second))
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.count("\n") == 3
    assert written.err.startswith("downloading: 1 of 2 files")


def test_on_a_terminal_there_is_a_bar_and_none_where_it_is_not_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with shown_progress("downloading") as show:
        assert show is not None
        show(at(5.0))
    assert "1/2 files" in capsys.readouterr().err
    with shown_progress("downloading", enabled=False) as show:
        assert show is None
