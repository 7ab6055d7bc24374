"""Files that exist whole and on disk, or not at all: write aside, fsync, rename, fsync the folder.

What is not `durable` is thrown away with its server, so nobody waits for the disk: no fsync, all else the same.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from pathlib import Path
from types import TracebackType
from weakref import WeakValueDictionary

from conductor_mock.store.group_sync import GroupSync

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_REMEMBERED = 4096
"""Folders that are known to be on disk."""


class NewFile:
    """A new file in a folder, to write to; gone at the end of the block unless it was placed."""

    __slots__ = ("_durable", "_file", "_path", "_placed", "_private")

    def __init__(self, folder: Path, *, private: bool = False, durable: bool = True) -> None:
        """`private` ones are read by their owner only."""
        self._path = folder / f".{secrets.token_hex(16)}"
        self._private = private
        self._durable = durable
        self._placed = False

    def __enter__(self) -> NewFile:
        opener = _owner_only if self._private else None
        self._file = open(self._path, "xb", buffering=0, opener=opener)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self._placed:
            self._path.unlink()

    def write(self, data: bytes) -> int:
        """Write all of `data`: a disk that is nearly full takes a part, and says so only by the count."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        return len(data)

    def sync(self) -> None:
        """Return when what was written is on disk."""
        if self._durable:
            os.fsync(self._file.fileno())

    def place(self, target: Path, folders: Folders | None = None) -> None:
        """Give the file, synced before, its real name; the name is on disk when this returns.

        A folder that is not there yet is made by `folders`, if they are given.
        """
        self.name(target, folders)
        if folders is not None:
            folders.sync(target.parent)
        elif self._durable:
            fsync_folder(target.parent)

    def place_new(self, target: Path) -> None:
        """Give the file, synced before, a name that nobody has. Raises FileExistsError when somebody has it.

        The name is on disk once its folder is synced.
        """
        os.link(self._path, target)  # its name of before goes at the end of the block

    def name(self, target: Path, folders: Folders | None = None) -> None:
        """`place`, but for the name being on disk: that is so when the folder was synced."""
        folder = target.parent
        try:
            self._path.replace(target)
        except FileNotFoundError:  # the first file of its folder
            if folders is None:
                raise
            folders.make(folder)
            self._path.replace(target)
        self._placed = True


class Folders:
    """Folders of one owner that come to be while several threads write to them."""

    def __init__(self, *, durable: bool = True, is_shared: bool = False) -> None:
        """`is_shared`: other processes make folders there, too, and nobody knows how far they are with it."""
        self._durable = durable
        self._is_shared = is_shared
        self._synced: set[Path] = set()
        self._making = threading.Lock()
        self._unsynced: set[Path] = set()
        """Those being made: they can be seen already, and a power cut may still undo them."""
        self._guard = threading.Lock()
        self._syncs: WeakValueDictionary[Path, GroupSync] = WeakValueDictionary()

    def make(self, path: Path) -> None:
        """Make a folder and those above it; their names are on disk when this returns."""
        with self._making:
            missing = [folder for folder in (path, *path.parents) if not folder.exists()]
            self._unsynced.update(missing)
            try:
                for folder in reversed(missing):
                    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
                    if self._durable:
                        fsync_folder(folder.parent)
            finally:
                self._unsynced.difference_update(missing)

    def sync(self, path: Path) -> None:
        """Return when the names that a folder has now are on disk, and its own: who waits meanwhile waits together."""
        if self._durable:
            with self._guard:
                group = self._syncs.setdefault(path, GroupSync(lambda: fsync_folder(path)))
            group.wait()
        self._wait_for(path)

    def waiting(self, path: Path) -> int:
        """How many wait for a sync of a folder that has not begun."""
        group = self._syncs.get(path)
        return 0 if group is None else group.waiting

    def _wait_for(self, path: Path) -> None:
        """Return when the name of a folder that can be seen is on disk."""
        if self._is_shared and self._durable and path not in self._synced:
            for folder in (path.parent, path.parent.parent):  # those of contents and of parts lie no deeper
                fsync_folder(folder)
            if len(self._synced) >= _REMEMBERED:
                self._synced.clear()
            self._synced.add(path)
        if path in self._unsynced:
            with self._making:  # whoever makes it has it
                return


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file that only its owner reads, at once or not at all."""
    with NewFile(path.parent, private=True, durable=durable) as file:
        file.write(text.encode("utf-8"))
        file.sync()
        file.place(path)


def private_folder(path: Path) -> None:
    """Make a folder, and those above it, that only its owner enters; one that is there becomes so."""
    path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    _only_for_owner(path, _FOLDER_MODE)


def private_database(path: Path) -> None:
    """Make the file of an SQLite database that only its owner reads; one that is there becomes so.

    SQLite would make it for everybody, and gives the files that it puts beside it the same mode.
    """
    private_file(path)
    for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if beside.exists():
            private_file(beside)


def private_file(path: Path) -> None:
    """Make an empty file that only its owner reads; one that is there becomes so."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _FILE_MODE))
    _only_for_owner(path, _FILE_MODE)


def _only_for_owner(path: Path, mode: int) -> None:
    if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & ~mode:
        path.chmod(mode)


def fsync_folder(path: Path) -> None:
    """Return when the names in a folder are on disk."""
    if os.name == "nt":  # folders cannot be opened there; renames are journaled by the file system
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, _FILE_MODE)
