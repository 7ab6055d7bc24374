"""What the commands of server and contracts write through: one way to the standard output and the standard error.

Text that is not ours (paths, titles, what a service says) is shown and not obeyed, what a terminal cannot show is
written as ``\\xe9``, and an output that has gone or is full ends a command, without a traceback.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import click

CANNOT_WRITE = 1
BROKEN_PIPE = 141
"""As shells report a program that SIGPIPE ended: whoever reads the output has gone."""

_OBEYED = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, the separators that some programs take for line ends, and what turns the direction of writing."""


def visible(text: str) -> str:
    """The text on one line, with all that a terminal or a reader of lines would obey written as `\\x1b`. Tabs stay."""
    return _OBEYED.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def echo(text: str = "", *, err: bool = False, raw: bool = False, nl: bool = True) -> None:
    """Print a line, by `err` to the standard error. `raw` is for text that is ours, of one line or several."""
    click.echo(text if raw else visible(text), err=err, nl=nl)


class OutputError(Exception):
    """The standard output cannot be written to; ``cause`` says why. No OSError, which others would take for theirs."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Answers:
    """The standard output: what it cannot show is escaped, and what it cannot take is an OutputError."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str | bytes) -> int:
        """Write text. Bytes are what click completes words with; it tries empty ones to see what a stream takes."""
        if isinstance(text, bytes) and text:
            text = text.decode("utf-8")
        return int(self._do(self._stream.write, text) or 0)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        self._do(self._stream.writelines, lines)

    def flush(self) -> None:
        """Hand everything on."""
        self._do(self._stream.flush)

    def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return work(*arguments)
        except OSError as error:
            raise OutputError(error) from None

    def __getattr__(self, name: str) -> Any:
        # Without the bytes below, click has nothing to write to past this one where the encoding is ASCII.
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


class _Messages(_Answers):
    """The standard error: that nobody can be told must not keep a command from its work."""

    def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return work(*arguments)
        except OSError:
            return None


@contextmanager
def guarded_output(program: str) -> Iterator[None]:
    """Let a command write to any output there is, and end by SystemExit where there is none.

    With BROKEN_PIPE and without a word if the reader has gone, with CANNOT_WRITE and a sentence if the disk is full. An
    output that is closed counts as one that nobody reads.
    """
    before = sys.stdout, sys.stderr
    out = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process
    err = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    answers, messages = _Answers(out), _Messages(err)
    sys.stdout, sys.stderr = cast("Any", answers), cast("Any", messages)
    try:
        try:
            yield
        finally:
            answers.flush()
    except OutputError as error:
        _forget_what_is_left(out)
        if error.cause.errno in (errno.EPIPE, errno.ESHUTDOWN):
            code = BROKEN_PIPE
        else:
            messages.write(f"{program}: the output cannot be written: {error.cause.strerror or error}\n")
            code = CANNOT_WRITE
    else:
        return
    finally:
        messages.flush()
        sys.stdout, sys.stderr = before
    raise SystemExit(code)


def _forget_what_is_left(stream: Any) -> None:
    """Let what is still buffered go nowhere; without this Python complains about it at exit."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
