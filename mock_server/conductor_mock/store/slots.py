"""The accounts in memory: the state of each, once it was read, behind the account's lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.state import State
from conductor_mock.store.heads import End
from conductor_mock.store.pending import Pending

MOST_PASSED_ON = 8
"""How often threads of a server pass on an account among themselves before another server has its turn."""


@dataclass(frozen=True, slots=True)
class Time:
    """The clock of an account when its lock was last given back, and what was known of it then without its state."""

    clock: Anchor
    reached_us: int
    changes: tuple[object, object] = (0, 0)
    """How many commands there were, and how much the farm has done by itself; what others have made of them."""
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

    `is_fresh` says that the state was just read, and the options of this server are still to be taken up; `has_options`
    that they were, and what the control API says since then stays, however often the state is read. `snapshot_seq` is
    the command that the last snapshot holds, `snapshot_happened` how much had happened then (`State.happened`), and
    `snapshot_due` how much will have when the next one is due. `time` may be read without the lock: it is committed,
    and replaced as a whole. `held` is how often its lock is held. Where other servers have the account too, `end` is
    where its log ended when the state was what it says, and `behind` a state of then: others have written since. Its
    lock outside is `kept` for the next of those who are `waiting` here, after it was `passed_on` so often: a server
    that gets it after another one has first to follow what that one wrote. `pending` are commands that the state has
    and the log has not: then somebody is `waiting`, or holds the lock.
    """

    lock: threading.RLock
    state: State | None = None
    is_fresh: bool = False
    has_options: bool = False
    snapshot_seq: int = 0
    snapshot_happened: int = 0
    snapshot_due: int = 0
    held: int = 0
    time: Time | None = None
    end: End | None = None
    behind: State | None = None
    waiting: int = 0
    kept: ExitStack | None = None
    passed_on: int = 0
    pending: Pending[Any] | None = None


class Outside(Protocol):
    """What keeps the servers apart that have the same accounts."""

    def hold(self, account_id: str) -> AbstractContextManager[None]:
        """For the block, no other server has the account."""

    def try_hold(self, account_id: str) -> AbstractContextManager[bool]:
        """`hold` without waiting; whether it is held."""

    def end(self, account_id: str) -> End | None:
        """Where the account's log ends, whoever wrote it."""


class Slots:
    """The slots of one server, made when an account is first asked for."""

    def __init__(
        self, outside: Outside | None = None, *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """`outside` is None for a server that has its accounts alone; `seconds` tells how long one is not used."""
        self._outside = outside
        self._seconds = seconds
        self._guard = threading.Lock()
        self._slots: dict[str, Slot] = {}
        self._open: dict[str, float] = {}
        """The accounts whose state is in memory and when each was used, the one that was used last at the end."""

    @contextmanager
    def hold(self, account_id: str, *, is_use: bool = True, joins: bool = False) -> Iterator[Slot]:
        """The account's slot, under its lock. A state that is still there at the end is what its log says, but for what
        is pending.

        Where it `is_use`, the account counts as used now. Whoever `joins` may see what is pending, and add to it: it is
        on disk when the block has ended, or what its commit raised is raised, whatever the block did.
        """
        pending: Pending[Any] | None = None
        try:
            with self._turn(account_id) as slot, self._held_outside(account_id, slot):
                if not slot.held and (not joins or slot.state is None):
                    self.settle(account_id, slot)
                slot.held += 1
                try:
                    yield slot
                finally:
                    slot.held -= 1
                    if not slot.held:
                        pending = slot.pending
                        if not self._is_passed_on(slot):
                            self.settle(account_id, slot)
                    self._used(account_id, slot, is_use=is_use)
        finally:
            if pending is not None:
                pending.wait()

    def _is_passed_on(self, slot: Slot) -> bool:
        """Whether the next of those who wait here gets the account as it is: some do, and not too many have had it."""
        if not slot.waiting or (slot.pending is not None and slot.pending.is_full):
            return False
        return slot.passed_on < MOST_PASSED_ON

    def settle(self, account_id: str, slot: Slot) -> None:
        """Have on disk what is pending; the state of what cannot be is thrown away. The account's lock is held."""
        pending, slot.pending = slot.pending, None
        if pending is None:
            return
        is_there = False
        try:
            is_there = pending.commit()
        finally:
            state, slot.state, slot.behind = slot.state, None, None
            try:
                if is_there and state is not None and self._knows_end(account_id, slot):
                    slot.state = state
                    _note_time(slot)
            finally:
                pending.tell()

    def _knows_end(self, account_id: str, slot: Slot) -> bool:
        """Have the slot know where its log ends after what was written here; whether that can be known."""
        try:
            slot.end = None if self._outside is None else self._outside.end(account_id)
        except (OSError, sa.exc.SQLAlchemyError):
            return False
        return True

    @contextmanager
    def _turn(self, account_id: str) -> Iterator[Slot]:
        """The slot, under the lock that it has in this process."""
        with self._guard:
            slot = self._slots.get(account_id)
            if slot is None:
                slot = self._slots[account_id] = Slot(threading.RLock())
            slot.waiting += 1
        try:
            slot.lock.acquire()
        except BaseException:
            self._wait_no_more(account_id, slot)
            raise
        with self._guard:
            slot.waiting -= 1
        try:
            yield slot
        finally:
            slot.lock.release()
            self._leave_nothing(account_id, slot)

    def _wait_no_more(self, account_id: str, slot: Slot) -> None:
        """Nobody may keep a lock, or leave anything pending, for one who does not come."""
        with self._guard:
            slot.waiting -= 1
        self._leave_nothing(account_id, slot)

    def _leave_nothing(self, account_id: str, slot: Slot) -> None:
        """Have done what was left to somebody who waited, and waits no more. The lock was just given back.

        Where somebody has it by now, he looks behind himself, too.
        """
        while slot.pending is not None or slot.kept is not None:
            if slot.waiting or not slot.lock.acquire(blocking=False):
                return
            try:
                if slot.held:  # this very thread is in the middle of something
                    return
                self._give_back(account_id, slot)
            finally:
                slot.lock.release()

    @contextmanager
    def hold_idle(self, most: int, idle_s: float) -> Iterator[tuple[str, Slot] | None]:
        """The slot of the account in memory that was used longest ago, under its lock, where that is `idle_s` or more
        ago, or more than `most` are in memory.

        None where there is none, or somebody is at it.
        """
        found = self._unused(most, idle_s)
        if found is None or not found[1].lock.acquire(blocking=False):
            yield None
            return
        account_id, slot = found
        try:
            # The lock lets its own thread in again, which is in the middle of something then.
            if slot.held or slot.pending is not None:
                yield None
            elif self._outside is None:
                yield account_id, slot
            else:
                with self._outside.try_hold(account_id) as held:
                    if held:
                        self._look(self._outside, account_id, slot)
                        slot.behind = None
                    yield (account_id, slot) if held else None
        finally:
            self._used(account_id, slot)
            slot.lock.release()
            self._leave_nothing(account_id, slot)

    def _unused(self, most: int, idle_s: float) -> tuple[str, Slot] | None:
        """What `hold_idle` is for, without its lock."""
        with self._guard:
            first = next(iter(self._open.items()), None)
            if first is None or (len(self._open) <= most and self._seconds() - first[1] < idle_s):
                return None
            return first[0], self._slots[first[0]]

    @contextmanager
    def _held_outside(self, account_id: str, slot: Slot) -> Iterator[None]:
        """For the block no other server has the account, and what the slot has of it is what its log says."""
        outside = self._outside
        if slot.held or outside is None:
            yield
            return
        if slot.kept is None:
            with ExitStack() as held:
                held.enter_context(outside.hold(account_id))
                slot.kept, slot.passed_on = held.pop_all(), 0
        else:
            slot.passed_on += 1
        try:
            self._look(outside, account_id, slot)
            try:
                yield
            finally:
                if slot.state is not None and slot.pending is None:
                    slot.behind = None
                    is_known = slot.end is not None and slot.end.seq == slot.state.seq
                    if not is_known and not self._knows_end(account_id, slot):
                        slot.state = None  # it is read again
        finally:
            self._give_back(account_id, slot)

    def _give_back(self, account_id: str, slot: Slot) -> None:
        """Let others have the account, unless some here wait who were not given many turns. Its lock is held."""
        if self._is_passed_on(slot):
            return
        self.settle(account_id, slot)
        kept, slot.kept = slot.kept, None
        if kept is not None:
            kept.close()

    def _look(self, outside: Outside, account_id: str, slot: Slot) -> None:
        """See whether others have written to the log since."""
        end = outside.end(account_id)
        if slot.state is not None and end != slot.end:
            slot.behind, slot.state = slot.state, None

    def _used(self, account_id: str, slot: Slot, *, is_use: bool = True) -> None:
        """The account's lock is about to be given back."""
        state = slot.state
        if slot.pending is None:
            _note_time(slot)
        with self._guard:
            if state is None:
                self._open.pop(account_id, None)
            elif is_use or account_id not in self._open:
                self._open.pop(account_id, None)
                self._open[account_id] = self._seconds()

    def time(self, account_id: str) -> Time | None:
        """The account's time, without its lock; None when it was not in memory yet."""
        with self._guard:
            slot = self._slots.get(account_id)
        return None if slot is None else slot.time

    def is_current(self, account_id: str) -> bool:
        """Whether no other server has written to the account since its time was noted here."""
        with self._guard:
            slot = self._slots.get(account_id)
        end = None if slot is None else slot.end
        return end is not None and self._outside is not None and self._outside.end(account_id) == end

    def in_memory(self) -> list[str]:
        """The accounts whose state is in memory, in order."""
        with self._guard:
            return sorted(self._open)

    def ids(self) -> list[str]:
        """The accounts that have a slot."""
        with self._guard:
            return list(self._slots)


def _note_time(slot: Slot) -> None:
    """Publish the time of a state that is on disk as it is."""
    state = slot.state
    if state is not None:
        due_us = state.events[0][0] if state.events else None
        changes = (state.seq, state.happened)
        slot.time = Time(state.clock, state.now_us, changes, due_us, state.active > 0)
