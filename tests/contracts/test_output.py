"""Commands write to any output there is: other encodings, readers that go, disks that are full, none at all."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.printing import BROKEN_PIPE, CANNOT_WRITE, echo, guarded_output


class Broken(io.StringIO):
    """An output that fails."""

    def __init__(self, number: int, after: int = 0) -> None:
        super().__init__()
        self._number, self._left = number, after

    def write(self, text: str) -> int:
        self._left -= 1
        if self._left < 0:
            raise OSError(self._number, os.strerror(self._number))
        return super().write(text)


def ended(out: Any, err: Any, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> object:
    """The exit code of work with these outputs, None if it ended by itself."""
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    try:
        with guarded_output("program"):
            work()
    except SystemExit as end:
        return end.code
    finally:
        assert (sys.stdout, sys.stderr) == (out, err)
    return None


def both() -> None:
    for _ in range(3):
        echo("answer")
        echo("message", err=True)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EPIPE, BROKEN_PIPE, ""),
        (errno.ENOSPC, CANNOT_WRITE, "program: the output cannot be written: No space left on device\n"),
        (errno.EIO, CANNOT_WRITE, "program: the output cannot be written: Input/output error\n"),
        (errno.EDQUOT, CANNOT_WRITE, "program: the output cannot be written: Disk quota exceeded\n"),
    ],
)
def test_an_output_that_fails_ends_a_command(
    monkeypatch: pytest.MonkeyPatch, number: int, code: int, said: str, after: int
) -> None:
    err = io.StringIO()
    out = Broken(number, after)
    if after >= 3:
        assert ended(out, err, monkeypatch, both) in (None, code)
        return
    assert ended(out, err, monkeypatch, both) == code
    assert err.getvalue().replace("message\n", "") == said


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_messages_that_nobody_can_be_told_do_not_keep_a_command_from_its_work(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    out = io.StringIO()
    assert ended(out, Broken(number), monkeypatch, both) is None
    assert out.getvalue() == "answer\n" * 3


def test_outputs_that_are_closed_count_as_ones_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(None, None, monkeypatch, both) is None


def test_an_exit_code_of_a_command_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        echo("answer")
        raise SystemExit(5)

    assert ended(io.StringIO(), io.StringIO(), monkeypatch, work) == 5


@given(
    st.text(),
    st.sampled_from(["ascii", "latin-1", "cp1252", "cp437", "utf-8", "utf-16", "shift-jis", "koi8-r"]),
)
def test_any_text_goes_to_any_encoding_on_one_line(text: str, encoding: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        assert ended(out, io.StringIO(), patch, lambda: echo(text)) is None
        out.seek(0)
        shown = out.read()
    assert shown.endswith("\n")
    assert not set(shown[:-1]) & set("\x1b\r\x07\x08\x7f\x85\x9b\u2028\u202e")
    assert "\n" not in shown[:-1].replace("\n  ", "")
    if all(32 <= ord(letter) < 127 for letter in text):
        assert shown == text + "\n"


def run(
    command: list[str], where: Path, *, redirect: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    line = f'"$@" {redirect}'
    environment = {**os.environ, "HOME": str(where), **variables}
    return subprocess.run(
        ["sh", "-c", line, "sh", *command], cwd=where, env=environment, capture_output=True, check=False
    )


COMMANDS = (
    ("conductor_contracts", "list"),
    ("conductor_contracts", "fidelity"),
    ("conductor_mock", "--help"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_end_without_a_traceback_whatever_their_output_is(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    line = [sys.executable, "-m", *command]
    name = command[0].replace("_", "-").encode()
    for redirect, code, said in (
        (">/dev/full", CANNOT_WRITE, name + b": the output cannot be written: No space left on device\n"),
        (">/dev/full 2>/dev/full", CANNOT_WRITE, b""),
        ("2>/dev/full", 0, b""),
        (">&-", 0, b""),
        (">&- 2>&-", 0, b""),
    ):
        done = run(line, tmp_path, redirect=redirect)
        assert (done.returncode, done.stderr[-len(said) :] if said else done.stderr) == (code, said), redirect
        assert done.stderr.count(b"\n") <= 1


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_end_quietly_when_their_reader_has_gone(command: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", *command], stdout=output, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, b"")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_print_in_every_encoding(command: tuple[str, ...], tmp_path: Path) -> None:
    whole = run([sys.executable, "-m", *command], tmp_path, PYTHONIOENCODING="utf-8")
    for variables in (
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ):
        done = run([sys.executable, "-m", *command], tmp_path, **variables)
        assert (done.returncode, done.stderr) == (0, b""), variables
        assert done.stdout.count(b"\n") == whole.stdout.count(b"\n")
