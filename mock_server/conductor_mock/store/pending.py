"""Commands of one account that were applied and are not on disk yet: one commit has them all, or none.

Those who bring them take the account's lock one behind the other, and each goes on when the commit is on disk that
everything depends on that it has seen. Nobody else sees what is pending: whoever takes the lock for anything else has
it committed first (`slots.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from conductor_mock.store.unavailable import told_to_others

T = TypeVar("T")

MOST_TOGETHER = 16
"""Commands of one commit: whoever brings the first of them waits for the others no longer."""


class Pending(Generic[T]):
    """What is to be committed next of one account, in its order. Call it, but for `wait`, with the account's lock."""

    def __init__(self, commit: Callable[[list[T]], None]) -> None:
        """`commit` has all of what it is given on disk when it returns; what it raises is raised by `wait`."""
        self._commit = commit
        self._things: list[T] = []
        self._told = threading.Event()
        self._error: BaseException | None = None
        self._by = 0

    @property
    def is_full(self) -> bool:
        """Whether it is to be committed though others wait who may bring more."""
        return len(self._things) >= MOST_TOGETHER

    def add(self, thing: T) -> None:
        """Bring one more. It depends on those before it, so it is never committed without them."""
        self._things.append(thing)

    def commit(self) -> bool:
        """Commit all of it, or let it go; whether it is on disk. Nobody goes on before `tell`."""
        self._by = threading.get_ident()
        try:
            self._commit(self._things)
        except Exception as error:  # noqa: BLE001 - raised by `wait`, for each of those who brought it
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        return self._error is None

    def tell(self) -> None:
        """Let those who wait go on, once all that they may look at is as the commit has left it."""
        self._told.set()

    def wait(self) -> None:
        """Return when it is on disk, without the lock. Raises what its commit raised, as `told_to_others`."""
        self._told.wait()
        if self._error is not None:
            raise self._error if threading.get_ident() == self._by else told_to_others(self._error)
