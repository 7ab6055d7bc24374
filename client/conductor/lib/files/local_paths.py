"""Paths of this machine as people write them."""

from __future__ import annotations

import os


def home_expanded(path: str) -> str:
    """Return a path whose ``~`` or ``~NAME`` at the beginning is replaced by that home.

    A shell does that itself, but not in ``--option=~/x``, nor in files and variables. What names no home stays.
    """
    return os.path.expanduser(path)  # noqa: PTH111 - text in, text out, and no error where there is no home
