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
    the command that the last snapshot holds, `snapshot_happened` how much had happened then (`State.happened`), and
    `snapshot_due` how much will have when the next one is due. `time` may be read without the lock: it is committed,
    and replaced as a whole. `held` is how often its lock is held.
    """

    lock: threading.RLock
    state: State | None = None
    is_fresh: bool = False
    snapshot_seq: int = 0
    snapshot_happened: int = 0
    snapshot_due: int = 0
    held: int = 0
    time: Time | None = None


class Slots:
    """The slots of one server, made when an account is first asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._slots: dict[str, Slot] = {}
        self._open: dict[str, None] = {}
        """The accounts whose state is in memory, the one that was used last at the end."""

    @contextmanager
    def hold(self, account_id: str) -> Iterator[Slot]:
        """The account's slot, under its lock. A state that is still there at the end is what its log says."""
        with self._guard:
            slot = self._slots.get(account_id)
            if slot is None:
                slot = self._slots[account_id] = Slot(threading.RLock())
        with slot.lock:
            slot.held += 1
            try:
                yield slot
            finally:
                slot.held -= 1
                self._used(account_id, slot)

    @contextmanager
    def hold_idle(self, most: int) -> Iterator[tuple[str, Slot] | None]:
        """Where more than `most` states are in memory, the slot of the one that was used longest ago, under its lock.

        None where there are not so many, or somebody is at it.
        """
        with self._guard:
            account_id = next(iter(self._open), None) if len(self._open) > most else None
            slot = None if account_id is None else self._slots[account_id]
        if account_id is None or slot is None or not slot.lock.acquire(blocking=False):
            yield None
            return
        try:
            # The lock lets its own thread in again, which is in the middle of something then.
            yield None if slot.held else (account_id, slot)
        finally:
            self._used(account_id, slot)
            slot.lock.release()

    def _used(self, account_id: str, slot: Slot) -> None:
        """The account's lock is about to be given back."""
        state = slot.state
        if state is not None:
            due_us = state.events[0][0] if state.events else None
            changes = (state.seq, state.happened)
            slot.time = Time(state.clock, state.now_us, changes, due_us, state.active > 0)
        with self._guard:
            self._open.pop(account_id, None)
            if state is not None:
                self._open[account_id] = None

    def time(self, account_id: str) -> Time | None:
        """The account's time, without its lock; None when it was not in memory yet."""
        with self._guard:
            slot = self._slots.get(account_id)
        return None if slot is None else slot.time

    def ids(self) -> list[str]:
        """The accounts that have a slot."""
        with self._guard:
            return list(self._slots)
