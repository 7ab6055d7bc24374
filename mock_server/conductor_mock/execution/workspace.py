"""The private folder of a run: the job's files at their paths, a home, a folder for temporary files, the log.

    files/  drives/      the mirrored tree (`paths.py`)
    home/  tmp/          HOME, which is also where the command starts, and TMPDIR
    log                  what the run printed
    command.sh           what the shell is given
    start.json           what the launcher reads
    run.json             who runs it: written before the process exists, completed when it does
    claimed              made by whoever runs it, so that nobody does twice
    cancel               made by whoever wants it to end

Contents are copied, never hard-linked: a task that writes to its inputs must not reach the object store.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from conductor_mock.execution.order import Order

FILES_MODE = 0o777
OWNER = 0o600
DEFAULT_MODE = 0o644


class WorkspaceError(Exception):
    """The private folder could not be made; the text says why."""


class Workspace:
    """The folder of one run, wherever it is looked at from."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def script(self) -> Path:
        return self.folder / "command.sh"

    @property
    def start(self) -> Path:
        return self.folder / "start.json"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def create(self) -> None:
        """Make the folder, which nobody else can read. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True)

    def claim(self) -> bool:
        """Whether this is the first to run it. Raises OSError when the folder is gone."""
        try:
            with (self.folder / "claimed").open("x"):
                return True
        except FileExistsError:
            return False

    def cancel(self) -> None:
        """Ask whoever runs it to end it."""
        if self.folder.is_dir():
            try:
                (self.folder / "cancel").touch()
            except OSError:  # on a full disk a file can still be taken away
                self.log.unlink(missing_ok=True)

    def is_cancelled(self) -> bool:
        """Whether it was asked to end; a folder that is gone says so too."""
        return (self.folder / "cancel").exists() or not self.log.exists()

    def note_run(self, **facts: Any) -> None:
        """Add to what is known of its run, whole or not at all."""
        aside = self.folder / "run.json.new"
        aside.write_text(json.dumps({**self.read_run(), **facts}), encoding="ascii")
        aside.replace(self.folder / "run.json")

    def read_run(self) -> dict[str, Any]:
        """What is known of its run: `job`, `task`, `attempt`; `host`, `boot`, `pid`, `started` of its first process."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return {}
        return facts

    def fill(self, order: Order) -> None:
        """Put everything in place that the command wants to find. Raises WorkspaceError."""
        for folder in (self.home, self.temporary, self.folder / "files", self.folder / "drives"):
            folder.mkdir(exist_ok=True)
        for file in order.inputs:
            target = self.folder / file.target
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.source, target)
                target.chmod(file.mode)
            except (OSError, ValueError) as error:
                raise WorkspaceError(f"{file.target} could not be put in place: {why(error)}") from error
        try:
            if order.output:
                Path(order.output).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"the output folder could not be made: {why(error)}") from error
        try:
            self.script.write_text(order.command + "\n", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"the command could not be written: {why(error)}") from error

    def remove(self) -> None:
        """Delete it, folders that a task made unreadable included. Raises OSError when something stays."""
        if not self.folder.exists():
            return
        try:
            shutil.rmtree(self.folder)
        except PermissionError:
            for parent, names, _ in os.walk(self.folder):
                for name in names:
                    path = Path(parent, name)
                    if not path.is_symlink():
                        path.chmod(0o700)
            shutil.rmtree(self.folder)


def permissions(st_mode: object) -> int:
    """The permission bits of an uploaded file; its owner may always read and write it, and nothing is set-uid."""
    if isinstance(st_mode, bool) or not isinstance(st_mode, int) or st_mode < 0:
        return DEFAULT_MODE
    return (st_mode & FILES_MODE) | OWNER


def why(error: Exception) -> str:
    """An error in words, without paths of this machine."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
