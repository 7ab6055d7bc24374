"""Paths of this machine as people write them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NO_HOME = Path(os.devnull, "there is no home folder, set HOME")


def home() -> Path:
    """Return this user's home; where there is none, NO_HOME, in which nothing is and nothing can be made.

    So what is an aid is done without, and what has to lie there fails by a path that says why.
    """
    try:
        found = Path.home()
    except RuntimeError:
        return NO_HOME
    return found if found.is_absolute() else NO_HOME


def cache_folder() -> Path:
    """Return where this library remembers things for this user, below NO_HOME where there is no such place."""
    if sys.platform != "linux":
        import platformdirs

        try:
            found = Path(platformdirs.user_cache_dir("conductor"))
        except RuntimeError:  # older versions leave a ~ where there is no home
            return NO_HOME / "cache"
        return found if found.is_absolute() else NO_HOME / "cache"
    # As platformdirs has it, from the XDG Base Directory Specification; every start would have to load that.
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else home() / ".cache") / "conductor"


def home_expanded(path: str) -> str:
    """Return a path whose ``~`` or ``~NAME`` at the beginning is replaced by that home.

    A shell does that itself, but not in ``--option=~/x``, nor in files and variables. What names no home stays.
    """
    return os.path.expanduser(path)  # noqa: PTH111 - text in, text out, and no error where there is no home
