"""How a command ends that cannot do what it is for: a sentence, and an exit code of its own."""

from __future__ import annotations

import click

UNUSABLE = 2
"""Exit code when the server cannot start: a port or directory in use, a newer directory, a wrong option."""


class Unusable(click.ClickException):
    """The server cannot start; the message says why."""

    exit_code = UNUSABLE


TOO_FEW_FILES = "it may open no more files: raise the limit (ulimit -n), 256 is enough to begin with"

TOO_FEW_THREADS = (
    "no thread can be started: this user or this container has as many processes and threads as it may have; end some "
    "of them, or raise that limit (ulimit -u, the pids limit of the container)"
)


def is_out_of_threads(error: BaseException) -> bool:
    """Whether the system lets this process start no more threads. Python has a text for it, and no class."""
    return isinstance(error, RuntimeError) and "start new thread" in str(error)
