"""Counting what an upload has done, for whoever watches it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from conductor.lib.files.local import LocalFile
from conductor.lib.progress import Progress, ProgressCallback

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.2
LOG_SECONDS = 5.0


class Meter:
    """Files and bytes that are done. ``sending`` may be called from any thread, the rest from one."""

    def __init__(
        self, files: list[LocalFile], callback: ProgressCallback | None, clock: Callable[[], float]
    ) -> None:
        self._callback, self._clock = callback, clock
        self._files, self._bytes = len(files), sum(file.size for file in files)
        self._began = self._reported = self._logged = clock()
        self._under_way: dict[str, int] = {}
        self._done_bytes = 0
        self.done_files = 0

    @property
    def interval(self) -> float | None:
        """How many seconds the coordinating thread may wait before it reports; None if nobody watches."""
        return PROGRESS_SECONDS if self._callback else None

    def sending(self, piece: str, count: int) -> None:
        """Take note that so many bytes of a piece, a file or a part of one, were sent so far."""
        self._under_way[piece] = count

    def part_done(self, piece: str, size: int) -> None:
        """Take note that a part is there."""
        self._under_way[piece] = size

    def settle(self, file: LocalFile, pieces: tuple[str, ...] = ()) -> None:
        """Take note that the service has a file; ``pieces`` are the parts of it that were counted."""
        self.drop((file.path, *pieces))
        self.done_files += 1
        self._done_bytes += file.size

    def drop(self, pieces: Iterable[str]) -> None:
        """Take note that what was sent of some pieces counts no more."""
        for piece in pieces:
            self._under_way.pop(piece, None)

    @property
    def progress(self) -> Progress:
        """How far the upload is."""
        moved = self._done_bytes + sum(list(self._under_way.values()))
        seconds = self._clock() - self._began
        return Progress(self.done_files, self._files, min(moved, self._bytes), self._bytes, seconds)

    def report(self) -> None:
        """Tell whoever watches."""
        self._reported = self._clock()
        if self._callback:
            self._callback(self.progress)

    def report_now_and_then(self) -> None:
        """Tell whoever watches, unless that was done just before; say it in the log every few seconds."""
        now = self._clock()
        if now - self._reported >= PROGRESS_SECONDS:
            self.report()
        if now - self._logged >= LOG_SECONDS:
            self._logged = now
            done = self.progress
            logger.log(
                logging.DEBUG if self._callback else logging.INFO,  # whoever watches is told already
                "%d of %d files done, %d of %d bytes",
                done.done_files,
                done.files,
                done.done_bytes,
                done.bytes,
            )
