"""What is done to the disk, in which order: sync, rename, commit, answer; and a kill between any two of them.

Every way to the disk of both sides ends in a few functions of `os`. They are recorded here, with what a file held when
it was synced: bytes that were written later, or still lie in a buffer, are not in it. From a kill on none of them does
anything more, so that nothing is tidied up by what a killed program would not have come to.
"""

from __future__ import annotations

import os
import pathlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa


class Killed(BaseException):
    """The process was killed. Not an Exception: nobody handles it."""


@dataclass(frozen=True, slots=True)
class Event:
    """`sync` of a file (with its content then) or a folder, `rename` to `path` from `source`, `make` of a folder,
    `remove`, `commit` or `answer`.
    """

    kind: str
    path: Path = Path()
    content: bytes | None = None
    source: Path | None = None


class Recorder:
    """The events so far; the one with number `kill_at` does not happen any more, nor any after it."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.events: list[Event] = []
        self.killed = False
        self.is_over = False
        self._kill_at = kill_at

    def happens(self, event: Event) -> None:
        """Called before an event. Raises Killed."""
        if self.is_over:  # what a test does to take away what it made
            return
        if self.killed or len(self.events) == self._kill_at:
            self.killed = True
            raise Killed
        self.events.append(event)

    def watch(self, engine: sa.Engine) -> None:
        """Record the commits of a database."""
        sa.event.listen(engine, "commit", lambda _: self.happens(Event("commit")))

    def answer(self) -> None:
        """Whoever asked for it is told that it is done."""
        self.happens(Event("answer"))

    @property
    def answered(self) -> bool:
        return Event("answer") in self.events

    @property
    def kinds(self) -> list[str]:
        """The kinds of all events, in order."""
        return [event.kind for event in self.events]

    def renamed_to(self, path: Path) -> int:
        """The number of the event that gave a file its name, which is checked: its content was on disk before.

        It is the last of several: where the folder is not there yet the first one fails.
        """
        *_, number = [n for n, one in enumerate(self.events) if (one.kind, one.path) == ("rename", path)]
        source = self.events[number].source
        synced = [one.content for one in self.events[:number] if (one.kind, one.path) == ("sync", source)]
        assert synced, f"{path} got its name before its content was synced"
        assert synced[-1] == path.read_bytes(), f"{path} was written to after its content was synced"
        return number

    def synced_after(self, number: int, folder: Path) -> int:
        """The number of the first sync of a folder after an event."""
        found = [
            n for n, one in enumerate(self.events) if n > number and (one.kind, one.path) == ("sync", folder)
        ]
        assert found, f"the names in {folder} were not synced"
        return found[0]


@contextmanager
def recorded(kill_at: int | None = None) -> Iterator[Recorder]:
    """Record what this process does to the disk in the block; a kill ends the block, and not the test."""
    recorder = Recorder(kill_at)
    with pytest.MonkeyPatch.context() as patched:
        for name, made in _recording(recorder).items():
            patched.setattr(os, name, made)
            if hasattr(pathlib, "_NormalAccessor"):  # Python 3.10 keeps functions of its own there
                patched.setattr(pathlib._NormalAccessor, name, staticmethod(made), raising=False)
        try:
            yield recorder
        except Killed:
            assert recorder.killed
        finally:
            recorder.is_over = True


def each_kill(run: Callable[[Path, int | None], Recorder], folder: Path) -> Iterator[tuple[Path, Recorder]]:
    """`run` in a folder of its own for every place where a kill can come, the last one behind all events."""
    whole = run(_new(folder / "whole"), None)
    for place in range(len(whole.events) + 1):
        yield (own := _new(folder / str(place))), run(own, place)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _recording(recorder: Recorder) -> dict[str, Callable[..., Any]]:
    fsync, replace, unlink, mkdir = os.fsync, os.replace, os.unlink, os.mkdir

    def sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        recorder.happens(Event("sync", path, path.read_bytes() if is_file else None))
        fsync(descriptor)

    def rename(source: Any, target: Any, **options: Any) -> None:
        recorder.happens(Event("rename", Path(target), source=Path(source)))
        replace(source, target, **options)

    def remove(path: Any, **options: Any) -> None:
        recorder.happens(Event("remove", Path(path)))
        unlink(path, **options)

    def make(path: Any, *mode: Any, **options: Any) -> None:
        recorder.happens(Event("make", Path(path)))
        mkdir(path, *mode, **options)

    return {
        "fsync": sync,
        "replace": rename,
        "rename": rename,
        "unlink": remove,
        "remove": remove,
        "mkdir": make,
    }
