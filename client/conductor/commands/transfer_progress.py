"""How far a transfer is, on the standard error: a bar on a terminal, now and then a line in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from conductor.commands.printing import echo
from conductor.lib.progress import Progress, ProgressCallback

LINE_SECONDS = 5.0


@contextmanager
def shown_progress(verb: str, *, enabled: bool = True) -> Iterator[ProgressCallback | None]:
    """Give a callback that shows progress, or None where it is not ``enabled``. ``verb`` is such as "downloading"."""
    if not enabled:
        yield None
    elif sys.stderr.isatty():
        with _bar(verb) as callback:
            yield callback
    else:
        yield Lines(verb)


class Lines:
    """Writes a line for every few seconds of a transfer."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._next = LINE_SECONDS

    def __call__(self, progress: Progress) -> None:
        """Write a line if it is time."""
        if progress.seconds < self._next - LINE_SECONDS:
            self._next = LINE_SECONDS  # another transfer has begun
        if progress.seconds >= self._next:
            self._next = progress.seconds + LINE_SECONDS
            echo(f"{self._verb}: {described(progress)}", err=True)


def described(progress: Progress) -> str:
    """Return files, bytes, rate and the time that is left, in words."""
    left = progress.seconds_left
    return (
        f"{progress.done_files} of {progress.files} files, "
        f"{size_text(progress.done_bytes)} of {size_text(progress.bytes)}, {size_text(progress.rate)}/s"
        + (f", {left:.0f} s left" if left else "")
    )


def size_text(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


@contextmanager
def _bar(verb: str) -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[files]}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        bar = bars.add_task(verb, total=None, files="")

        def show(progress: Progress) -> None:
            bars.update(
                bar,
                completed=progress.done_bytes,
                total=progress.bytes,
                files=f"{progress.done_files}/{progress.files} files",
            )

        yield show
