"""Who may give contents their names, and who may delete them: many of the former at once, or one of the latter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from conductor_mock.store.locks import Level, Locks


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


@dataclass(frozen=True, slots=True)
class Shared:
    """What a store has that several servers use: the locks between them, and whether this one is the first."""

    locks: Locks
    is_first: bool


LONGEST_SHARE_S = 0.05
"""How long the threads of a process let others of it come in by one taking of the lock, which another process may wait
for."""


class OutsideReadWriteLock:
    """`ReadWriteLock` for several processes: the threads of one share it together.

    Who comes after a while takes it anew, behind whoever waits to delete elsewhere, and then has it for all of them;
    the one before is given back. So nobody waits for those who place a content, however long a store lets them wait.
    """

    def __init__(self, locks: Locks, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._locks = locks
        self._seconds = seconds
        self._changed = threading.Condition()
        self._sharing = 0
        self._is_taking = False
        self._since_s = 0.0
        self._outside = ExitStack()
        self._deleting = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many of this process wait to delete."""
        with self._changed:
            return self._waiting

    @contextmanager
    def shared(self) -> Iterator[None]:
        """For the block, nobody deletes, here or elsewhere."""
        self._join()
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For the block, nobody places and nobody else deletes, here or elsewhere."""
        with self._changed:
            self._waiting += 1
        with ExitStack() as held:
            try:
                held.enter_context(self._deleting)
                held.enter_context(self._locks.hold(Level.CONTENTS))
            finally:
                with self._changed:
                    self._waiting -= 1
            yield

    def _join(self) -> None:
        with self._changed:
            while self._is_taking:
                self._changed.wait()
            if self._sharing and self._may_go_on():
                self._sharing += 1
                return
            self._is_taking = True
        taken = ExitStack()
        try:
            taken.enter_context(self._locks.share(Level.CONTENTS))
        except BaseException:
            with self._changed:
                self._is_taking = False
                self._changed.notify_all()
            raise
        with self._changed:
            before, self._outside = self._outside, taken
            self._is_taking, self._since_s = False, self._seconds()
            self._sharing += 1
            self._changed.notify_all()
        try:
            before.close()
        except BaseException:  # whoever is told so does not have it
            self._leave()
            raise

    def _may_go_on(self) -> bool:
        return not self._waiting and self._seconds() - self._since_s < LONGEST_SHARE_S

    def _leave(self) -> None:
        with self._changed:
            self._sharing -= 1
            if not self._sharing:
                self._outside.close()
