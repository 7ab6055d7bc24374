"""A wait for the disk that several threads share: whoever came before it began is covered by it.

Unlike a commit (`group_commit.py`) one that failed is not tried again for anybody: the system may say only once that
what it was to write is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from conductor_mock.store.unavailable import told_to_others


@dataclass(slots=True, eq=False)
class _Round:
    """One sync, and how it ended."""

    waiting: int = 0
    done: bool = False
    error: BaseException | None = None


class GroupSync:
    """One thing that is synced, such as a folder: one sync at a time, by the first of those who wait for it."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._changed = threading.Condition()
        self._is_running = False
        self._next = _Round()

    @property
    def waiting(self) -> int:
        """How many wait for a sync that has not begun."""
        with self._changed:
            return self._next.waiting

    def wait(self) -> None:
        """Return when a sync that began after this call has ended. Raises what that one raised."""
        with self._changed:
            mine = self._next
            mine.waiting += 1
            while self._is_running and not mine.done:
                self._changed.wait()
            leads = not mine.done
            if leads:
                self._is_running = True
                self._next = _Round()  # who comes from now on may have written what this sync does not see
        if leads:
            self._run(mine)
        if mine.error is not None:
            raise mine.error

    def _run(self, mine: _Round) -> None:
        try:
            self._sync()
        except BaseException as error:
            mine.error = told_to_others(error)
            if mine.error is not error:
                raise
        finally:
            with self._changed:
                mine.done = True
                self._is_running = False
                self._changed.notify_all()
