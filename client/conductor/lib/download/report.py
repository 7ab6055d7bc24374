"""What a download did, file by file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from conductor.lib.download.records import DownloadFile, DownloadTask
from conductor.lib.exceptions import ConductorError


class FileStatus(str, Enum):
    """What became of one file."""

    FETCHED = "fetched"
    KEPT = "kept"  # it was there
    REFUSED = "refused"  # its path is not safe
    FAILED = "failed"


@dataclass(frozen=True)
class FileResult:
    """One file: its place here ("" where it has none), what became of it and why, the bytes that came for it."""

    file: DownloadFile
    path: str
    status: FileStatus
    reason: str = ""
    received: int = 0
    error: ConductorError | None = None

    @property
    def is_here(self) -> bool:
        """Whether the file is in its place."""
        return self.status in (FileStatus.FETCHED, FileStatus.KEPT)

    def __str__(self) -> str:
        where = self.path or repr(self.file.relative_path)
        return f"{where}: {self.status.value}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class DownloadReport:
    """What a download did. ``unfinished`` are tasks of which a file is not here; ``errors`` is what else failed."""

    files: tuple[FileResult, ...]
    unfinished: tuple[DownloadTask, ...] = ()
    errors: tuple[ConductorError, ...] = ()

    @property
    def fetched(self) -> int:
        """How many files came."""
        return sum(result.status is FileStatus.FETCHED for result in self.files)

    @property
    def kept(self) -> int:
        """How many files were here before."""
        return sum(result.status is FileStatus.KEPT for result in self.files)

    @property
    def problems(self) -> tuple[FileResult, ...]:
        """The files that are not here."""
        return tuple(result for result in self.files if not result.is_here)

    @property
    def bytes_received(self) -> int:
        """How many bytes came, those of attempts that failed too."""
        return sum(result.received for result in self.files)

    @property
    def complete(self) -> bool:
        """Whether everything is here and the service knows."""
        return not self.problems and not self.errors
