"""What to download, and where each file goes: decided before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from conductor.lib.download.records import DownloadFile
from conductor.lib.download.safe_paths import Claims, is_windows, output_folder, safe_parts
from conductor.lib.exceptions import BadArgumentError
from conductor.lib.files.local_paths import home
from conductor.lib.values.frames import parse_frames
from conductor.lib.wire.records import job_id

MAX_TASKS = 1_000_000


class Overwrite(str, Enum):
    """What happens to a file that is there already."""

    CHANGED = "changed"
    """It is replaced if its md5 is another one."""
    ALWAYS = "always"
    """It is fetched again and replaced, without a look at it."""
    NEVER = "never"
    """It stays, whatever it holds."""


@dataclass(frozen=True)
class Selection:
    """A job, or some tasks of one. Ids as on the wire: tasks padded to three digits, None for all of them."""

    job_id: str
    task_ids: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read ``JOB`` or ``JOB:TASKS``, such as ``00012:1-5x2,10``.

        Raises BadArgumentError for a range that makes no sense; the vendor's client then takes the whole job.
        """
        job, colon, tasks = text.strip().partition(":")
        found = job_id(job)
        try:
            return cls(found, parse_task_ids([tasks]) if colon else None)
        except BadArgumentError as error:
            raise BadArgumentError(f"{text.strip()[:80]!r} is no JOB:TASKS: {error}") from None


def parse_task_ids(texts: Iterable[str]) -> tuple[str, ...]:
    """Read task ids and ranges (``003``, ``1-10``, ``1-10x3``, ``1,4,7-9``), each id once, in rising order.

    Raises BadArgumentError naming the part that is wrong.
    """
    numbers: set[int] = set()
    for text in texts:
        try:
            ranges = parse_frames(text)
        except ValueError as error:
            raise BadArgumentError(
                f"tasks: {error}; accepted: tasks such as 3, 1-10, 1-10x3 or 1,4,7-9"
            ) from None
        if not ranges or any(span.start < 0 or len(span) > MAX_TASKS for span in ranges):
            raise BadArgumentError(
                f"tasks: {text!r} names no tasks; accepted: tasks such as 3, 1-10 or 1,4,7-9"
            )
        for span in ranges:
            numbers.update(span)
    return tuple(f"{number:03d}" for number in sorted(numbers))


@dataclass(frozen=True)
class Placed:
    """A file and where it goes: ``folder`` is given, ``parts`` are what the server says, found safe."""

    file: DownloadFile
    folder: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file's place."""
        return self.folder.joinpath(*self.parts)


class Placement:
    """Finds the places of one download's files."""

    def __init__(self, destination: Path | None = None, *, portable_names: bool = True) -> None:
        self._destination = destination
        self._portable = portable_names
        self._claims = Claims(portable=portable_names)
        self._windows = is_windows()

    def place(self, file: DownloadFile) -> Placed:
        """Return where the file goes. Raises UnsafePathError, which says why it goes nowhere."""
        folder = Path(
            output_folder(file.output_dir, file.job_id, self._destination, home(), windows=self._windows)
        )
        parts = safe_parts(file.relative_path, windows=self._windows, portable=self._portable)
        placed = Placed(file, folder, parts)
        self._claims.claim(placed.path, f"job {file.job_id} task {file.task_id}", file.md5)
        return placed


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Return the regular expression. Raises BadArgumentError if it is none."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise BadArgumentError(f"regex: {pattern!r} is not a regular expression: {error}") from None


def chosen_files(files: Iterable[DownloadFile], pattern: re.Pattern[str] | None) -> tuple[DownloadFile, ...]:
    """Return the files in whose path (output path and relative path) the expression is found; all without one."""
    if pattern is None:
        return tuple(files)
    return tuple(file for file in files if pattern.search(f"{file.output_dir}/{file.relative_path}"))
