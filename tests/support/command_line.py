"""The `conductor` command run in this process."""

from __future__ import annotations

from inspect import signature
from typing import Any

from click.testing import CliRunner


def runner() -> CliRunner:
    """A runner that keeps the standard output and the standard error apart.

    click 8.1, the last one for Python 3.9, does so only when it is asked to; later ones cannot be asked.
    """
    asked: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    return CliRunner(**asked)
