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
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from conductor_mock.execution import folders
from conductor_mock.execution.order import Input, Order

FILES_MODE = 0o777
OWNER = 0o600
DEFAULT_MODE = 0o644
BLOCK = 1 << 20
MOST_FACTS = 1 << 16
"""Bytes of `run.json` that are read."""


OpenSource = Callable[[str], IO[bytes]]
"""Opens what `Input.source` says."""


def open_path(source: str) -> IO[bytes]:
    """The source of an input that is the path of a file."""
    return open(source, "rb")  # noqa: PTH123 - a text


class WorkspaceError(Exception):
    """The private folder could not be made; the text says why."""


class Workspace:
    """The folder of one run, wherever it is looked at from."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.root = -1
        """A descriptor of the folder, from `open` or `create` to `close`."""

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
        """Make the folder, which nobody else can read, and open it. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True)
        self.open()

    def open(self) -> None:
        """Hold on to the folder: whatever its path comes to mean, it is the one that is looked into. Raises OSError."""
        self.close()
        self.root = folders.open_root(self.folder)

    def close(self) -> None:
        """Let go of the folder. Safe to call twice."""
        if self.root >= 0:
            os.close(self.root)
            self.root = -1

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
        """What is known of its run: `job`, `task`, `attempt`; `host`, `boot`, `pid`, `started` of its first process.

        The command could reach the file: what is no note of ours is nothing.
        """
        try:
            facts = json.loads(self._read("run.json", MOST_FACTS).decode("ascii"))
        except (OSError, ValueError, RecursionError):
            return {}
        return (
            {name: value for name, value in facts.items() if _is_fact(value)}
            if isinstance(facts, dict)
            else {}
        )

    def read_log(self) -> bytes | None:
        """What the run has logged; None when there is no log, or something else in its place."""
        try:
            return self._read("log")
        except OSError:
            return None

    def open_log(self) -> IO[bytes]:
        """The log, to read it. Raises OSError, also for something else in its place."""
        return self._open("log")

    def _read(self, name: str, most: int = -1) -> bytes:
        with self._open(name) as stream:
            return stream.read(most)

    def _open(self, name: str) -> IO[bytes]:
        root = os.dup(self.root) if self.root >= 0 else folders.open_root(self.folder)
        try:
            return os.fdopen(folders.open_file(root, name), "rb")
        finally:
            os.close(root)

    def fill(self, order: Order, open_source: OpenSource = open_path) -> None:
        """Put everything in place that the command wants to find, in the folder that is open. Raises WorkspaceError."""
        root = self.root
        for name in ("home", "tmp", "files", "drives"):
            with folders.below(root, [name], make=True):
                pass
        for file in order.inputs:
            *above, name = file.target.split("/")
            try:
                with folders.below(root, above, make=True) as folder:
                    _copy(file, folder, name, open_source)
            except (OSError, ValueError) as error:
                raise WorkspaceError(f"{file.target} could not be put in place: {why(error)}") from error
        try:
            if order.output:
                with folders.below(root, order.output, make=True):
                    pass
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"the output folder could not be made: {why(error)}") from error
        try:
            self.script.write_text(order.command + "\n", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"the command could not be written: {why(error)}") from error

    def remove(self) -> None:
        """Delete it, whatever a task made of it. Raises OSError when something stays."""
        try:
            parent = folders.open_root(self.folder.parent)
        except FileNotFoundError:
            return
        try:
            folders.remove(parent, self.folder.name)
        finally:
            os.close(parent)


def _copy(file: Input, folder: int, name: str, open_source: OpenSource) -> None:
    target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with os.fdopen(target, "wb") as written, open_source(file.source) as content:
        shutil.copyfileobj(content, written, BLOCK)
        os.fchmod(written.fileno(), file.mode)


def _is_fact(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < 1 << 63)


def permissions(st_mode: object) -> int:
    """The permission bits of an uploaded file; its owner may always read and write it, and nothing is set-uid."""
    if isinstance(st_mode, bool) or not isinstance(st_mode, int) or st_mode < 0:
        return DEFAULT_MODE
    return (st_mode & FILES_MODE) | OWNER


def why(error: Exception) -> str:
    """An error in words, without paths of this machine."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
