"""The accounts in memory: the state of each, once it was read, behind the account's lock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.state import State


@dataclass(frozen=True, slots=True)
class Time:
    """The clock of an account when its lock was last given back, and what was known of it then without its state."""

    clock: Anchor
    reached_us: int
    changes: tuple[int, int] = (0, 0)
    """How many commands there were, and how much the farm has done by itself since it was read."""
    due_us: int | None = None
    """When it does more by itself, at the earliest."""
    is_busy: bool = False
    """Whether there are instances, which cost and log while nothing else happens."""

    def at(self, wall_us: int) -> int:
        """Simulated microseconds at a wall time since then."""
        return max(self.reached_us, self.clock.at(wall_us))


@dataclass(slots=True)
class Slot:
    """The place of one account in this process.

    `is_fresh` says that the state was just read: the options of this server are still to be taken up. `snapshot_seq` is
    the command that the last snapshot holds, `snapshot_due` how much has happened (`State.happened`) when the next one
    is due. `time` may be read without the lock: it is committed, and replaced as a whole.
    """

    lock: threading.RLock
    state: State | None = None
    is_fresh: bool = False
    snapshot_seq: int = 0
    snapshot_due: int = 0
    time: Time | None = None


class Slots:
    """The slots of one server, made when an account is first asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._slots: dict[str, Slot] = {}

    @contextmanager
    def hold(self, account_id: str) -> Iterator[Slot]:
        """The account's slot, under its lock. A state that is still there at the end is what its log says."""
        with self._guard:
            slot = self._slots.get(account_id)
            if slot is None:
                slot = self._slots[account_id] = Slot(threading.RLock())
        with slot.lock:
            try:
                yield slot
            finally:
                state = slot.state
                if state is not None:
                    due_us = state.events[0][0] if state.events else None
                    changes = (state.seq, state.happened)
                    slot.time = Time(state.clock, state.now_us, changes, due_us, state.active > 0)

    def time(self, account_id: str) -> Time | None:
        """The account's time, without its lock; None when it was not in memory yet."""
        with self._guard:
            slot = self._slots.get(account_id)
        return None if slot is None else slot.time

    def ids(self) -> list[str]:
        """The accounts that have a slot."""
        with self._guard:
            return list(self._slots)
