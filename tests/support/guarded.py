"""Watches that what threads share is touched by nobody but who holds its lock."""

from __future__ import annotations

from typing import Any


def untouched_without(shared: Any, lock: str, *names: str) -> list[str]:
    """Which of these attributes are read or set from now on while nobody holds the lock: a list that grows.

    It tells of a lock that is left out where only one thread is at work, too.
    """
    kind: Any = type(shared)
    touched: list[str] = []

    def look(thing: object, name: str) -> None:
        if name in names and not _is_held(kind.__getattribute__(thing, lock)):
            touched.append(name)

    class Watched(kind):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            look(self, name)
            return super().__getattribute__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            look(self, name)
            super().__setattr__(name, value)

    shared.__class__ = Watched
    return touched


def _is_held(lock: Any) -> bool:
    is_owned = getattr(lock, "_is_owned", None)  # of conditions
    return bool(lock.locked() if is_owned is None else is_owned())
