"""Whether a server has anything to do with tasks that run for real: one that has not starts without all of this."""

from __future__ import annotations

from pathlib import Path

from conductor_mock.settings import Settings

FOLDER = "executions"
"""Below a data directory: a folder per run."""


def is_wanted(settings: Settings, directory: Path) -> bool:
    """Whether tasks are to run for real, or an earlier server may have left some that still do."""
    return settings.execute or settings.executor is not None or runs_folder(directory).is_dir()


def runs_folder(directory: Path) -> Path:
    """Where the folders of runs lie in a data directory."""
    return directory / FOLDER
