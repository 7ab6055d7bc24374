"""How far a download is, while what there is to do still becomes known."""

from __future__ import annotations

import threading
from collections.abc import Callable

from conductor.lib.progress import Progress, ProgressCallback

TICK_SECONDS = 0.25


class DownloadTally:
    """Counts, and calls back every TICK_SECONDS. Only ``add`` may be called from other threads."""

    def __init__(self, callback: ProgressCallback | None, clock: Callable[[], float]) -> None:
        self._callback, self._clock = callback, clock
        self._lock = threading.Lock()
        self._started = self._shown = clock()
        self._done_files = self._files = self._done_bytes = self._bytes = 0

    def expect(self, files: int, size: int) -> None:
        """Add to what is to be done."""
        self._files += files
        self._bytes += size

    def add(self, count: int) -> None:
        """Add to the bytes that came."""
        with self._lock:
            self._done_bytes += count

    def settle(self, rest: int) -> None:
        """Count a file as done. ``rest`` are those of its bytes that need not come; what came twice counts once."""
        self._done_files += 1
        self.add(rest)

    def show_sometimes(self) -> None:
        """Call back, if the last time is long enough ago."""
        if self._clock() - self._shown >= TICK_SECONDS:
            self.show()

    def show(self) -> None:
        """Call back."""
        self._shown = self._clock()
        if self._callback:
            seconds = self._shown - self._started
            self._callback(Progress(self._done_files, self._files, self._done_bytes, self._bytes, seconds))
