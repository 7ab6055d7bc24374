"""The accounts in memory: what whoever takes an account finds, and what is known of it in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.clock import ONE, Anchor
from conductor_mock.store.heads import End
from conductor_mock.store.pending import MOST_TOGETHER, Pending
from conductor_mock.store.slots import Slot, Slots, Time
from conductor_mock.store.unavailable import UnavailableError
from support.execution import eventually
from support.guarded import untouched_without

ACCOUNT = "1"
PATIENCE_S = 60


class Held(AbstractContextManager[None]):
    """A lock for a block, which nothing but its end gives back."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Elsewhere:
    """What keeps the servers apart, and a log to which all of them write."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seq: int | None = 1
        self.asked = 0
        self.errors = 0

    def hold(self, account_id: str) -> Held:
        return Held(self.lock)

    @contextmanager
    def try_hold(self, account_id: str) -> Iterator[bool]:
        is_held = self.lock.acquire(blocking=False)
        yield is_held
        if is_held:
            self.lock.release()

    def end(self, account_id: str) -> End | None:
        self.asked += 1
        if self.errors:
            self.errors -= 1
            raise OSError("the database is away")
        return None if self.seq is None else End(self.seq, None)


class Seconds:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def some_state(seq: int = 1, *, now_us: int = 0, events: Sequence[Any] = (), active: int = 0) -> Any:
    """What a slot asks of a state."""
    return SimpleNamespace(
        clock=Anchor(0, now_us, 0), now_us=now_us, seq=seq, happened=3, events=events, active=active
    )


def opened(slots: Slots, state: Any = None, account_id: str = ACCOUNT) -> Any:
    """The state of an account that has it in memory from now on."""
    with slots.hold(account_id) as slot:
        slot.state = some_state() if state is None else state
        return slot.state


def bring(slot: Slot, commit: Callable[[list[int]], None], count: int = 1) -> None:
    """Some commands that were applied and are not on disk."""
    slot.pending = Pending(commit)
    for number in range(count):
        slot.pending.add(number)


def use(slots: Slots) -> None:
    with slots.hold(ACCOUNT):
        pass


def found_next(slots: Slots, first: Callable[[Slot], object], *, joins: bool) -> dict[str, Any]:
    """What somebody finds who waited while another one had the account, and did `first`."""
    found: dict[str, Any] = {}

    def look() -> None:
        with slots.hold(ACCOUNT, joins=True) if joins else slots.hold(ACCOUNT) as slot:
            found.update(state=slot.state, pending=slot.pending)

    with ThreadPoolExecutor(1) as pool:
        with suppress(OSError), slots.hold(ACCOUNT, joins=True) as slot:
            looked = pool.submit(look)
            eventually(lambda: slot.waiting == 1)
            first(slot)
        looked.result(PATIENCE_S)
    return found


def in_another_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(PATIENCE_S)


def is_free(slots: Slots) -> bool:
    """Whether another thread may have the account at once."""
    lock = slots._slots[ACCOUNT].lock

    def try_it() -> bool:
        is_held = lock.acquire(blocking=False)
        if is_held:
            lock.release()
        return is_held

    return bool(in_another_thread(try_it))


@pytest.fixture(params=[False, True], ids=["alone", "one of several"])
def slots(request: pytest.FixtureRequest) -> Slots:
    """The slots of a server that has its accounts alone, or shares them."""
    return Slots(Elsewhere() if request.param else None)


# What is known of time


@given(wall_us=st.integers(0, 10**9), reached_us=st.integers(0, 10**9), anchor_us=st.integers(0, 10**9))
def test_time_never_goes_back_behind_what_the_farm_has_reached(
    wall_us: int, reached_us: int, anchor_us: int
) -> None:
    clock = Anchor(anchor_us, anchor_us, ONE)
    seen_us = Time(clock, reached_us).at(wall_us)
    assert seen_us >= reached_us
    assert seen_us >= clock.at(wall_us)
    assert seen_us in (reached_us, clock.at(wall_us))


def test_a_time_says_no_more_than_what_is_known() -> None:
    assert Time(Anchor(0, 0, 0), 0) == Time(Anchor(0, 0, 0), 0, (0, 0), None, is_busy=False)


def test_a_slot_that_nobody_used_holds_nothing() -> None:
    with Slots().hold(ACCOUNT) as slot:
        assert replace(slot, held=0) == Slot(
            slot.lock,
            is_fresh=False,
            has_options=False,
            snapshot_seq=0,
            snapshot_happened=0,
            snapshot_due=0,
            held=0,
            waiting=0,
            passed_on=0,
        )


@pytest.mark.parametrize("due_us", [None, 70])
@pytest.mark.parametrize("active", [0, 1, 2])
def test_the_time_of_an_account_is_known_without_its_lock(
    slots: Slots, due_us: int | None, active: int
) -> None:
    events = [] if due_us is None else [(due_us, 0, 1), (due_us + 1, 0, 1)]
    assert slots.time(ACCOUNT) is None
    state = opened(slots, some_state(5, now_us=40, events=events, active=active))
    with slots.hold(ACCOUNT):
        known = in_another_thread(lambda: slots.time(ACCOUNT))
    assert known == Time(state.clock, 40, (5, 3), due_us, active > 0)


def test_what_is_pending_is_not_known_before_it_is_on_disk(slots: Slots) -> None:
    opened(slots)
    seen: list[Any] = []

    def commit(_: list[int]) -> None:
        time = slots.time(ACCOUNT)
        seen.append(time and time.changes)

    def two_more(slot: Slot) -> None:
        slot.state = some_state(3)
        bring(slot, commit, 2)

    found_next(slots, two_more, joins=True)
    time = slots.time(ACCOUNT)
    assert seen == [(1, 3)]
    assert time is not None
    assert time.changes == (3, 3)


def test_an_account_is_current_as_long_as_nobody_wrote_to_it_elsewhere() -> None:
    log = Elsewhere()
    slots = Slots(log)
    assert not slots.is_current(ACCOUNT), "it was never used"
    opened(slots)
    assert slots.is_current(ACCOUNT)
    log.seq = 2
    assert not slots.is_current(ACCOUNT)
    log.seq = None
    assert not Slots(log).is_current(ACCOUNT), "there is no log"
    assert not Slots().is_current(ACCOUNT)


def test_an_account_whose_state_was_thrown_away_with_something_pending_is_not_current() -> None:
    log = Elsewhere()
    slots = Slots(log)
    opened(slots)

    def commit(_: list[int]) -> None:
        log.seq = 2

    with slots.hold(ACCOUNT, joins=True) as slot:
        bring(slot, commit)
        slot.state = None
    assert not slots.is_current(ACCOUNT), "its time is that of before"


def test_the_accounts_with_slots_and_those_in_memory(slots: Slots) -> None:
    for name in ("b", "a", "c"):
        opened(slots, account_id=name)
    with slots.hold("c") as slot:
        slot.state = None
    assert slots.ids() == ["b", "a", "c"]
    assert slots.in_memory() == ["a", "b"]


def test_an_account_whose_commit_failed_is_not_in_memory(slots: Slots) -> None:
    def commit(_: list[int]) -> None:
        raise OSError("disk full")

    opened(slots)
    with pytest.raises(OSError, match="disk full"), slots.hold(ACCOUNT, joins=True) as slot:
        bring(slot, commit)
    assert slots.in_memory() == []
    assert slots._slots[ACCOUNT].state is None


# What is pending


def test_whoever_does_not_join_finds_all_on_disk(slots: Slots) -> None:
    committed: list[int] = []
    found = found_next(slots, lambda slot: bring(slot, committed.extend), joins=False)
    assert (committed, found["pending"]) == ([0], None)


def test_whoever_joins_finds_what_is_pending(slots: Slots) -> None:
    committed: list[int] = []
    state = opened(slots)
    found = found_next(slots, lambda slot: bring(slot, committed.extend), joins=True)
    assert found["pending"] is not None
    assert found["state"] is state
    assert committed == [0]


def test_nobody_joins_more_than_a_commit_has_room_for(slots: Slots) -> None:
    opened(slots)
    found = found_next(slots, lambda slot: bring(slot, lambda _: None, MOST_TOGETHER), joins=True)
    assert found["pending"] is None


def test_whoever_joins_finds_nothing_pending_where_its_state_was_thrown_away(slots: Slots) -> None:
    committed: list[int] = []

    def brought_and_lost(slot: Slot) -> None:
        bring(slot, committed.extend)
        slot.state = None

    opened(slots)
    assert found_next(slots, brought_and_lost, joins=True) == {"state": None, "pending": None}
    assert committed == [0]


def test_a_second_hold_of_the_same_thread_commits_nothing_of_what_it_is_at(slots: Slots) -> None:
    committed: list[int] = []
    opened(slots)
    with slots.hold(ACCOUNT, joins=True) as slot:
        bring(slot, committed.extend)
        use(slots)
        assert slot.pending is not None
        assert committed == []
    assert committed == [0]


@pytest.mark.parametrize("error", [OSError("away"), KeyboardInterrupt()], ids=["a trouble", "an interrupt"])
def test_nobody_goes_on_with_a_state_that_could_not_be_committed(slots: Slots, error: BaseException) -> None:
    def commit(_: list[int]) -> None:
        raise error

    opened(slots)
    with pytest.raises(type(error)), slots.hold(ACCOUNT, joins=True) as slot:
        bring(slot, commit)
    assert slots._slots[ACCOUNT].state is None
    assert is_free(slots)


def test_whoever_has_joined_is_told_what_the_commit_of_another_one_raised(slots: Slots) -> None:
    def commit(_: list[int]) -> None:
        raise KeyboardInterrupt

    def join(commits: threading.Event) -> None:
        with slots.hold(ACCOUNT, joins=True) as slot:
            slot.state = some_state()
            bring(slot, commit)
            commits.set()
            eventually(lambda: slot.waiting == 1)

    opened(slots)
    with ThreadPoolExecutor(1) as pool:
        is_there = threading.Event()
        joined = pool.submit(join, is_there)
        assert is_there.wait(PATIENCE_S)
        with pytest.raises(KeyboardInterrupt):
            use(slots)
        assert isinstance(joined.exception(PATIENCE_S), UnavailableError)


# Where its log ends, which others may write


def test_a_state_stays_while_nobody_else_writes(slots: Slots) -> None:
    state = opened(slots)
    with slots.hold(ACCOUNT) as slot:
        assert slot.state is state
        assert slot.behind is None


def test_a_state_is_one_of_before_when_others_have_written() -> None:
    log = Elsewhere()
    slots = Slots(log)
    state = opened(slots)
    log.seq = 2
    with slots.hold(ACCOUNT) as slot:
        assert (slot.state, slot.behind) == (None, state)
    log.seq = 3
    with slots.hold(ACCOUNT) as slot:
        assert (slot.state, slot.behind) == (None, state), "it is still known until somebody reads on from it"
        slot.state = some_state(3)
    assert slot.behind is None


@pytest.mark.parametrize("is_pending", [False, True])
def test_what_is_written_here_need_not_be_read_again(is_pending: bool) -> None:
    log = Elsewhere()
    slots = Slots(log)
    state = opened(slots)

    def append(_: Sequence[int]) -> None:
        log.seq = 2

    with slots.hold(ACCOUNT, joins=True) as slot:
        state.seq = 2
        if is_pending:
            bring(slot, append)
        else:
            append(())
    with slots.hold(ACCOUNT) as slot:
        assert slot.state is state


@pytest.mark.parametrize("seq", [None, 1])
def test_an_account_that_nobody_writes_to_is_looked_at_once_each_time(seq: int | None) -> None:
    log = Elsewhere()
    log.seq = seq
    slots = Slots(log)
    use(slots)
    opened(slots)
    log.asked = 0
    for _ in range(3):
        use(slots)
    assert log.asked == (3 if seq else 6), "where there is no log, its end is looked for again"


def test_an_account_that_is_passed_on_with_something_pending_is_looked_at_once_by_each() -> None:
    log = Elsewhere()
    slots = Slots(log)
    state = opened(slots)
    log.asked = 0

    def append(_: list[int]) -> None:
        log.seq = 2

    def apply(slot: Slot) -> None:
        state.seq = 2
        bring(slot, append)

    found_next(slots, apply, joins=True)
    assert log.asked == 3, "by each of the two, and when it was committed"


def test_a_state_is_read_again_where_it_cannot_be_known_which_end_it_has() -> None:
    log = Elsewhere()
    slots = Slots(log)
    state = opened(slots)
    with slots.hold(ACCOUNT):
        state.seq = log.seq = 2
        log.errors = 1
    assert slots._slots[ACCOUNT].state is None
    use(slots)


def test_the_next_one_reads_a_state_again_whose_end_could_not_be_known_when_it_was_committed() -> None:
    log = Elsewhere()
    slots = Slots(log)
    opened(slots)

    def commit(_: list[int]) -> None:
        log.errors = 1

    found = found_next(slots, lambda slot: bring(slot, commit), joins=False)
    assert found["state"] is None


# Those who leave


class Lock:
    """The lock of an account for which one thread waits until it is interrupted; something is done after a release."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.interrupts = threading.Event()
        self.interrupted: threading.Thread | None = None
        self.released: Callable[[], object] = lambda: None

    def acquire(self, blocking: bool = True) -> bool:
        if threading.current_thread() is self.interrupted and blocking:
            assert self.interrupts.wait(PATIENCE_S)
            raise KeyboardInterrupt
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()
        self.released()


def with_lock(slots: Slots) -> Lock:
    """A lock in place of that of the account."""
    use(slots)
    lock = Lock()
    slots._slots[ACCOUNT].lock = lock  # type: ignore[assignment]
    return lock


def interrupted(slots: Slots, slot: Slot, lock: Lock, told: list[BaseException]) -> threading.Thread:
    """A thread that waits for the account, and will be interrupted."""

    def wait() -> None:
        try:
            use(slots)
        except BaseException as error:  # noqa: BLE001 - it is told
            told.append(error)

    thread = lock.interrupted = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: slot.waiting == 1 or told)
    return thread


def test_whoever_waits_no_more_gives_back_what_was_kept_for_it() -> None:
    log = Elsewhere()
    slots = Slots(log)
    lock, told = with_lock(slots), list[BaseException]()
    with slots.hold(ACCOUNT) as slot:
        thread = interrupted(slots, slot, lock, told)
    assert log.lock.locked(), "it is kept for the one who waits"
    lock.interrupts.set()
    thread.join()
    assert [type(error) for error in told] == [KeyboardInterrupt]
    assert not log.lock.locked()
    assert is_free(slots)
    assert slots._slots[ACCOUNT].waiting == 0


def test_whoever_waits_no_more_commits_what_was_left_to_it(slots: Slots) -> None:
    lock, told, committed = with_lock(slots), list[BaseException](), list[int]()
    left = threading.Event()

    def bring_one() -> None:
        with slots.hold(ACCOUNT, joins=True) as slot:
            slot.state = some_state(7)
            bring(slot, committed.extend)
            waiting.append(interrupted(slots, slot, lock, told))
            lock.released = left.set

    waiting: list[threading.Thread] = []
    with ThreadPoolExecutor(1) as pool:
        brought = pool.submit(bring_one)
        assert left.wait(PATIENCE_S)
        assert committed == []
        lock.interrupts.set()
        brought.result(PATIENCE_S)
    waiting[0].join()
    time = slots.time(ACCOUNT)
    assert committed == [0]
    assert is_free(slots)
    assert time is not None
    assert time.changes == (7, 3)


def test_whoever_leaves_waits_for_nobody_who_has_the_account_by_then() -> None:
    log = Elsewhere()
    slots = Slots(log)
    lock = with_lock(slots)
    has_it, has_left = threading.Event(), threading.Event()

    def have_it() -> None:
        with slots.hold(ACCOUNT):
            has_it.set()
            assert has_left.wait(PATIENCE_S / 10)

    with ThreadPoolExecutor(1) as pool:
        with slots.hold(ACCOUNT) as slot:
            second = pool.submit(have_it)
            eventually(lambda: slot.waiting == 1)
            lock.released = has_it.wait
        has_left.set()
        second.result(PATIENCE_S)
    assert not log.lock.locked()


def test_a_second_hold_of_the_same_thread_gives_nothing_back() -> None:
    log = Elsewhere()
    slots = Slots(log)
    with slots.hold(ACCOUNT):
        use(slots)
        assert log.lock.locked()
        assert not is_free(slots)
    assert is_free(slots)


# Accounts that nobody uses


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_account_that_was_used_longest_ago_is_idle_after_a_time_or_when_there_are_too_many(
    is_shared: bool,
) -> None:
    seconds = Seconds()
    slots = Slots(Elsewhere() if is_shared else None, seconds=seconds)

    def idle(most: int, idle_s: float) -> str | None:
        with slots.hold_idle(most, idle_s) as found:
            if found is None:
                return None
            found[1].state = None
            return found[0]

    assert idle(0, 0) is None, "none is in memory"
    for seconds.now, name in enumerate("abca", 3):
        opened(slots, account_id=name)
    seconds.now = 7.5
    with slots.hold("b", is_use=False):
        pass  # to look is no use of it
    assert idle(3, 4) is None
    assert idle(2, 4) == "b"
    assert slots.in_memory() == ["a", "c"]
    seconds.now = 8
    assert idle(2, 3) == "c"
    assert idle(2, 3) is None
    seconds.now = 9
    with slots.hold("b", is_use=False) as slot:
        slot.state = some_state()  # read by whoever looked
    assert idle(2, 3) == "a"
    assert slots.in_memory() == ["b"]


def test_one_that_stays_in_memory_counts_as_used_when_it_was_looked_at(slots: Slots) -> None:
    for name in "ab":
        opened(slots, account_id=name)
    found = []
    for _ in range(3):
        with slots.hold_idle(0, 0) as idle:
            assert idle is not None
            found.append(idle[0])
    assert found == ["a", "b", "a"]


def test_an_account_that_somebody_is_at_is_not_idle(slots: Slots) -> None:
    def look() -> Any:
        with slots.hold_idle(0, 0) as idle:
            return idle

    opened(slots)
    with ThreadPoolExecutor(1) as pool, slots.hold(ACCOUNT):
        assert look() is None, "this very thread is at it"
        assert pool.submit(look).result(PATIENCE_S / 10) is None
    assert look() is not None
    assert is_free(slots)


def test_an_account_with_something_pending_is_not_idle_and_whoever_looked_leaves_nothing(
    slots: Slots,
) -> None:
    committed: list[int] = []
    opened(slots)
    bring(slots._slots[ACCOUNT], committed.extend)
    with slots.hold_idle(0, 0) as idle:
        assert idle is None
    assert committed == [0], "its holder may have gone while somebody looked"
    assert is_free(slots)


def test_an_idle_account_that_others_have_written_to_has_no_state() -> None:
    log = Elsewhere()
    slots = Slots(log)
    opened(slots)
    log.seq = 2
    with slots.hold_idle(0, 0) as idle:
        assert idle is not None
        assert (idle[1].state, idle[1].behind) == (None, None)
    assert slots.in_memory() == []


def test_an_idle_account_that_another_server_has_is_left_as_it_is() -> None:
    log = Elsewhere()
    slots = Slots(log)
    state = opened(slots)
    log.seq = 2
    with log.lock, slots.hold_idle(0, 0) as idle:
        assert idle is None
    assert slots._slots[ACCOUNT].state is state


# What threads share


def test_what_threads_share_is_touched_only_under_the_guard(slots: Slots) -> None:
    lock, unguarded = with_lock(slots), list[str]()

    class Watched(Slot):
        """A slot that notes who counts those who wait without the guard."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "waiting" and not slots._guard.locked():
                unguarded.append(name)
            super().__setattr__(name, value)

    slots._slots[ACCOUNT] = Watched(lock)  # type: ignore[arg-type]
    unguarded.clear()
    touched = untouched_without(slots, "_guard", "_slots", "_open")
    opened(slots)
    with slots.hold(ACCOUNT) as slot:
        lock.interrupts.set()
        interrupted(slots, slot, lock, []).join()
    with slots.hold_idle(0, 0):
        pass
    slots.time(ACCOUNT)
    slots.is_current(ACCOUNT)
    slots.in_memory()
    slots.ids()
    assert touched == []
    assert unguarded == []
