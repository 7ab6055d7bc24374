"""The driver of a server while it is the one of several that drives, and what the others see of its runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_mock.execution import leftovers
from conductor_mock.execution.driver import Driver
from conductor_mock.execution.wanted import runs_folder
from conductor_mock.execution.workspace import Workspace

if TYPE_CHECKING:
    from conductor_mock.execution.remote import Remote

_RUN = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Driving:
    """Drives from `start` to `stop`, which may come in turns."""

    def __init__(self, directory: Path, drive: Callable[[], Driver], remote: Remote | None = None) -> None:
        """`directory` is the server's data directory, in which `drive` takes over and begins; `remote` are workers
        without it.
        """
        self._remote = remote
        self._directory = directory
        self._drive = drive
        self._driving = ExitStack()

    def start(self) -> None:
        """End what others left in the directory, and drive. Raises OSError, DatabaseError while another one does."""
        with ExitStack() as begun:
            begun.enter_context(leftovers.held(self._directory))
            leftovers.end_all(self._directory)
            begun.callback(self._drive().close)
            self._driving = begun.pop_all()

    def stop(self) -> None:
        """End every run; those tasks start again when the account is next driven, here or elsewhere."""
        self._driving.close()

    def logged(self, run: str) -> bytes:
        """What a run under way in this directory has logged so far; nothing when there is no such run here."""
        if not _RUN.fullmatch(run):
            return b""
        if self._remote is not None:
            return self._remote.read_log(run, 0)
        return Workspace(runs_folder(self._directory) / run).read_log() or b""
