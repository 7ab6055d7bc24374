"""The accounts in memory of one server of several: whose turn it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from conductor_mock.store.heads import End
from conductor_mock.store.pending import Pending
from conductor_mock.store.slots import MOST_PASSED_ON, Slots
from conductor_mock.store.unavailable import UnavailableError
from support.execution import eventually

ACCOUNT = "1"


class Locks:
    """The lock of one account between servers, and how often it was taken."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken = 0
        self.error: Exception | None = None

    @contextmanager
    def hold(self, account_id: str) -> Iterator[None]:
        with self.lock:
            self.taken += 1
            yield

    @contextmanager
    def try_hold(self, account_id: str) -> Iterator[bool]:
        if not self.lock.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self.lock.release()

    def end(self, account_id: str) -> End | None:
        if self.error is not None:
            raise self.error
        return None


def waiting_for(slots: Slots, count: int) -> list[threading.Thread]:
    """So many threads that wait for the account while somebody has it."""
    found: list[threading.Thread] = []
    for _ in range(count):
        found.append(threading.Thread(target=use, args=(slots,)))
        found[-1].start()
    eventually(lambda: slots._slots[ACCOUNT].waiting == count)
    return found


def use(slots: Slots) -> None:
    with slots.hold(ACCOUNT):
        pass


@pytest.mark.parametrize("count", [0, 1, MOST_PASSED_ON, MOST_PASSED_ON + 1, 3 * MOST_PASSED_ON])
def test_those_who_wait_in_a_server_pass_an_account_on_and_others_have_their_turn_in_between(
    count: int,
) -> None:
    locks = Locks()
    slots = Slots(locks)
    with slots.hold(ACCOUNT):
        threads = waiting_for(slots, count)
    for thread in threads:
        thread.join()
    turns = -(-(1 + count) // (1 + MOST_PASSED_ON))
    assert locks.taken == turns
    assert not locks.lock.locked(), "when nobody waits another server may have it"


def test_an_account_that_is_held_twice_by_a_thread_is_held_once_outside() -> None:
    locks = Locks()
    slots = Slots(locks)
    with slots.hold(ACCOUNT), slots.hold(ACCOUNT):
        assert locks.lock.locked()
    assert (locks.taken, locks.lock.locked()) == (1, False)


def test_what_fails_under_the_lock_keeps_it_from_nobody() -> None:
    locks = Locks()
    slots = Slots(locks)
    threads: list[threading.Thread] = []

    def fail() -> None:
        with slots.hold(ACCOUNT):
            threads.extend(waiting_for(slots, 1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for thread in threads:
        thread.join()
    locks.error = OSError("the database is away")
    with pytest.raises(OSError, match="away"):
        use(slots)
    assert not locks.lock.locked()


def test_whoever_closes_unused_accounts_takes_none_that_another_server_has() -> None:
    locks = Locks()
    slots = Slots(locks)
    use(slots)
    slots._open[ACCOUNT] = 0.0
    with locks.hold(ACCOUNT), slots.hold_idle(0, 0) as idle:
        assert idle is None
    slots._open[ACCOUNT] = 0.0
    with slots.hold_idle(0, 0) as idle:
        assert idle is not None
    assert not locks.lock.locked()


def some_state() -> Any:
    """What a slot asks of a state."""
    return SimpleNamespace(clock=None, now_us=0, seq=1, happened=0, events=[], active=0)


class Told(Pending[int]):
    """What is pending; whoever waits for what nobody is left to tell is told so."""

    def wait(self) -> None:
        assert self._told.is_set(), "nobody is left who would tell"
        super().wait()


@pytest.mark.parametrize("error", [OSError("away"), ZeroDivisionError()], ids=["a trouble", "a defect"])
def test_whatever_is_wrong_with_the_end_of_a_log_nobody_waits_for_ever(error: Exception) -> None:
    locks, committed = Locks(), list[int]()
    slots = Slots(locks)

    def commit(things: list[int]) -> None:
        committed.extend(things)
        locks.error = error

    with suppress(ZeroDivisionError), slots.hold(ACCOUNT, joins=True) as slot:
        slot.state, slot.pending = some_state(), Told(commit)
        slot.pending.add(1)
    assert committed == [1]
    assert slots._slots[ACCOUNT].state is None, "it is read again"
    assert not locks.lock.locked()


class GivingUp:
    """The lock of an account, for which one thread waits until it is interrupted, just before the lock is free."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._goes = threading.Event()
        self.waiter: threading.Thread | None = None

    def acquire(self, blocking: bool = True) -> bool:
        if threading.current_thread() is not self.waiter or not blocking:
            return self._lock.acquire(blocking=False)
        self._goes.wait()
        raise KeyboardInterrupt

    def release(self) -> None:
        if self.waiter is not None:
            self._goes.set()
            self.waiter.join()
        self._lock.release()


def test_what_is_left_to_one_who_then_waits_no_more_is_done_by_whoever_left_it() -> None:
    locks, lock, committed = Locks(), GivingUp(), list[int]()
    slots = Slots(locks)
    use(slots)
    slots._slots[ACCOUNT].lock = lock  # type: ignore[assignment]

    def wait() -> None:
        with suppress(KeyboardInterrupt):
            use(slots)

    with slots.hold(ACCOUNT, joins=True) as slot:
        slot.state, slot.pending = some_state(), Told(committed.extend)
        slot.pending.add(1)
        lock.waiter = threading.Thread(target=wait)
        lock.waiter.start()
        eventually(lambda: slot.waiting == 1)
    assert committed == [1]
    assert not locks.lock.locked()


def test_a_thread_that_is_interrupted_while_it_commits_ends_no_other_one() -> None:
    slots = Slots()
    told: list[Exception] = []

    def commit(_: list[int]) -> None:
        raise KeyboardInterrupt

    def bring() -> None:
        with slots.hold(ACCOUNT, joins=True) as slot:
            slot.state, slot.pending = some_state(), Pending(commit)
            slot.pending.add(1)
            commits.start()
            eventually(lambda: slot.waiting == 1)

    def depend() -> None:
        with pytest.raises(UnavailableError) as refused:
            bring()
        told.append(refused.value)

    def interrupted() -> None:
        with pytest.raises(KeyboardInterrupt), slots.hold(ACCOUNT, joins=True) as slot:
            assert slot.pending is not None

    commits = threading.Thread(target=interrupted)
    depends = threading.Thread(target=depend)
    depends.start()
    depends.join()
    commits.join()
    assert len(told) == 1
    use(slots)
