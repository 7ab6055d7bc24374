"""What a process has around it: its variables, and an empty folder as its home."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HOMES = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
FOLDERS: Mapping[str, str] = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}


@contextmanager
def home() -> Iterator[dict[str, str]]:
    """The variables that make an empty folder the home, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="conductor-mock-home-", ignore_cleanup_errors=True) as folder:
        below = {name: str(Path(folder, path)) for name, path in FOLDERS.items()}
        yield {**dict.fromkeys(HOMES, folder), **below}


@contextmanager
def variables(given: Mapping[str, str], gone: list[str]) -> Iterator[None]:
    """These variables set, and those not, for the length of the block."""
    before = {name: os.environ.get(name) for name in (*given, *gone)}
    os.environ.update(given)
    for name in gone:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
