"""Who may give contents their names, and who may delete them: many of the former at once, or one of the latter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Held from the moment a content gets its name until something refers to it.

    Whoever deletes contents that nothing refers to holds it alone, so that no content vanishes between its rename
    and its row in a table. One who waits to delete lets nobody new in, or a busy store could not be reset. Not
    reentrant.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sharing = 0
        self._deleting = False
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many wait to delete."""
        with self._changed:
            return self._waiting

    @contextmanager
    def shared(self) -> Iterator[None]:
        """For the block, nobody deletes."""
        with self._changed:
            while self._deleting or self._waiting:
                self._changed.wait()
            self._sharing += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharing -= 1
                if not self._sharing:
                    self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For the block, nobody places and nobody else deletes."""
        with self._changed:
            self._waiting += 1
            try:
                while self._deleting or self._sharing:
                    self._changed.wait()
            finally:
                self._waiting -= 1
            self._deleting = True
        try:
            yield
        finally:
            with self._changed:
                self._deleting = False
                self._changed.notify_all()
