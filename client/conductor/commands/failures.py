"""What a failure of the library looks like on the command line: one message, one exit code, no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from conductor.commands.printing import echo
from conductor.lib.exceptions import ConductorError

FAILED, INTERRUPTED = 1, 130


class Failed(click.ClickException):
    """A failure as the command line shows it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = exit_code  # one class for all codes, where click has a class for each

    def show(self, file: Any = None) -> None:
        """Write the message to the standard error."""
        echo(f"conductor: {self.message}", err=True)


@contextmanager
def guarded(ctx: click.Context) -> Iterator[None]:
    """Turn the library's errors, and what the system refuses, into ``Failed``; Ctrl-C into an exit code."""
    failure: Failed
    try:
        yield
    except KeyboardInterrupt:
        echo("conductor: interrupted", err=True)
        ctx.exit(INTERRUPTED)
    except ConductorError as error:
        failure = Failed(str(error), error.exit_code)
    except OSError as error:  # a name that no disk holds, a disk that is full
        failure = Failed(f"the system refused: {error}", FAILED)
    else:
        return
    raise failure
