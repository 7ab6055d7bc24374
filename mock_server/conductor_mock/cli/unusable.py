"""How a command ends that cannot do what it is for: a sentence, and an exit code of its own."""

from __future__ import annotations

import click

UNUSABLE = 2
"""Exit code when the server cannot start: a port or directory in use, a newer directory, a wrong option."""


class Unusable(click.ClickException):
    """The server cannot start; the message says why."""

    exit_code = UNUSABLE


TOO_FEW_FILES = "it may open no more files: raise the limit (ulimit -n), 256 is enough to begin with"
