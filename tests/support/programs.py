"""Programs run to their end, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 400
"""How long a program may run before it is called stuck; nothing is measured with it."""

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "examples" / "quickstart.py"

Finished = subprocess.CompletedProcess[str]


def run(command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Finished:
    """Run a program with `env` on top of this process's environment; its output is kept as text."""
    return subprocess.run(
        list(command),
        env={**os.environ, **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def python(*arguments: str) -> list[str]:
    """The command line of this interpreter."""
    return [sys.executable, *arguments]


def conductor(*arguments: str) -> list[str]:
    """The command line of `conductor`, whichever else of that name is installed."""
    return python("-m", "conductor", *arguments)


def conductor_mock(*arguments: str) -> list[str]:
    """The command line of `conductor-mock`."""
    return python("-m", "conductor_mock", *arguments)
