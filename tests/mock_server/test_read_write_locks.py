"""Many who place or one who deletes: who waits for whom, told without threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store import read_write_lock
from conductor_mock.store.locks import Level
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock
from support.guarded import untouched_without


class Waits:
    """What happens elsewhere while a thread waits, one thing a wait; and how often waiting threads were woken."""

    def __init__(self, lock: ReadWriteLock | OutsideReadWriteLock) -> None:
        self.meanwhile: list[Callable[[], None]] = []
        self.woken = 0
        condition: Any = lock._changed
        condition.wait = self._wait
        condition.notify_all = self._notify

    def _wait(self) -> None:
        assert self.meanwhile, "nobody need wait"
        self.meanwhile.pop(0)()

    def _notify(self) -> None:
        self.woken += 1


class Outside:
    """Locks of several processes, of which this one has what it asks for; notes it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refused = 0
        self.at_share: Callable[[], None] = lambda: None

    @contextmanager
    def hold(self, level: Level, name: str = "") -> Iterator[None]:
        assert (level, name) == (Level.CONTENTS, "")
        self.done.append("hold")
        yield
        self.done.append("held")

    @contextmanager
    def share(self, level: Level, name: str = "") -> Iterator[None]:
        assert (level, name) == (Level.CONTENTS, "")
        if self.refused:
            self.refused -= 1
            raise OSError("no lock")
        self.at_share()
        self.done.append("share")
        yield
        self.done.append("shared")

    def try_hold(self, level: Level, name: str = "") -> AbstractContextManager[bool]:
        return nullcontext(True)

    def close(self) -> None:
        pass


def entered(context: AbstractContextManager[None]) -> Callable[[], None]:
    """Enter it now; what leaves it."""
    stack = ExitStack()
    stack.enter_context(context)
    return stack.close


def test_whoever_deletes_waits_for_all_who_place_and_is_woken_by_the_last() -> None:
    lock = ReadWriteLock()
    waits = Waits(lock)
    first, second = entered(lock.shared()), entered(lock.shared())
    seen: list[object] = []

    def the_first_leaves() -> None:
        seen.append(lock.waiting)
        first()
        seen.append(waits.woken)

    waits.meanwhile = [the_first_leaves, second]
    with lock.alone():
        seen.append(waits.woken)
        assert lock.waiting == 0
    assert seen == [1, 0, 1]
    assert waits.woken == 2, "and those who wait for the deleter by him"
    assert waits.meanwhile == []


def test_nobody_places_or_deletes_beside_one_who_deletes() -> None:
    for come in (ReadWriteLock.shared, ReadWriteLock.alone):
        lock = ReadWriteLock()
        waits = Waits(lock)
        waits.meanwhile = [entered(lock.alone())]
        with come(lock):
            assert waits.meanwhile == []
        with lock.shared():
            pass


def test_one_who_waits_to_delete_lets_nobody_new_in() -> None:
    lock = ReadWriteLock()
    waits = Waits(lock)
    order: list[str] = []

    def one_comes_to_place() -> None:
        """He has to wait, and it is the deleter's turn."""
        waits.meanwhile = [leave]
        placer = lock.shared()
        lock_is_free = lock._waiting
        assert lock_is_free == 1
        lock._waiting = 1
        waits.meanwhile.append(lambda: setattr(lock, "_waiting", 0))
        with placer:
            order.append("placed")
        lock._waiting = 1

    leave = entered(lock.shared())
    waits.meanwhile = [one_comes_to_place]
    with lock.alone():
        order.append("deleted")
    assert order == ["placed", "deleted"]
    assert waits.meanwhile == [], "he waited until nobody waited to delete"


@pytest.mark.parametrize("kind", ["shared", "alone"])
def test_an_error_in_the_block_gives_the_lock_back(kind: str) -> None:
    for lock in (ReadWriteLock(), OutsideReadWriteLock(Outside())):
        waits = Waits(lock)
        with pytest.raises(ZeroDivisionError), getattr(lock, kind)():
            raise ZeroDivisionError
        with lock.alone():
            pass
        with lock.shared():
            pass
        assert waits.woken >= 1


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(read_write_lock, "LONGEST_SHARE_S", 0.5)
    return [1024.0]


def test_those_of_one_process_share_one_lock_for_a_while(outside: Outside, now: list[float]) -> None:
    lock = OutsideReadWriteLock(outside, seconds=lambda: now[0])
    waits = Waits(lock)
    first = entered(lock.shared())
    assert waits.woken == 1, "who came meanwhile may share it"
    now[0] += 0.25
    second = entered(lock.shared())
    first()
    assert (outside.done, waits.woken) == (["share"], 1)
    now[0] += 0.25
    third = entered(lock.shared())
    assert outside.done == ["share", "share", "shared"], (
        "taken anew, behind who waits elsewhere, and never without it"
    )
    second()
    assert outside.done == ["share", "share", "shared"], "it is the third one's, too"
    third()
    assert outside.done == ["share", "share", "shared", "shared"]
    assert waits.woken == 2


@given(
    st.lists(st.tuples(st.sampled_from(["comes", "leaves"]), st.integers(0, 8), st.floats(0, 1)), max_size=30)
)
def test_nobody_who_places_waits_for_others_who_place_and_none_is_ever_without_the_lock(
    steps: list[tuple[str, int, float]],
) -> None:
    outside, now = Outside(), [1024.0]
    lock = OutsideReadWriteLock(outside, seconds=lambda: now[0])
    Waits(lock)  # that anybody waits is an error
    inside: list[Callable[[], None]] = []
    for what, which, passes in steps:
        now[0] += passes / 10
        if what == "comes":
            inside.append(entered(lock.shared()))
        elif inside:
            inside.pop(which % len(inside))()
        held = outside.done.count("share") - outside.done.count("shared")
        assert held == (1 if inside else 0), "one for all of them, as few connections have to do"


def test_whoever_waits_to_delete_keeps_those_of_his_process_out(outside: Outside, now: list[float]) -> None:
    lock = OutsideReadWriteLock(outside, seconds=lambda: now[0])
    waits = Waits(lock)
    first = entered(lock.shared())
    lock._waiting = 1
    outside.at_share = first  # which waits behind him: he waits for the first one, and that one for nobody
    second = entered(lock.shared())
    assert outside.done == ["share", "shared", "share"]
    second()
    assert waits.meanwhile == []


def test_one_takes_the_lock_for_the_others_of_his_process(outside: Outside, now: list[float]) -> None:
    lock = OutsideReadWriteLock(outside, seconds=lambda: now[0])
    waits = Waits(lock)
    taking: list[bool] = []
    outside.at_share = lambda: taking.append(lock._is_taking)
    lock._is_taking = True  # somebody else is at it
    waits.meanwhile = [lambda: setattr(lock, "_is_taking", False)]
    with lock.shared():
        assert lock._is_taking is False
    assert (taking, waits.meanwhile) == ([True], [])


def test_a_lock_that_cannot_be_had_is_an_error_of_who_asked_and_the_next_one_tries(outside: Outside) -> None:
    lock = OutsideReadWriteLock(outside)
    waits = Waits(lock)
    outside.refused = 1
    touched = untouched_without(lock, "_changed", "_is_taking")
    with pytest.raises(OSError, match="no lock"), lock.shared():
        pytest.fail("it is not shared")
    assert waits.woken == 1
    assert touched == []
    with lock.shared():
        pass
    assert outside.done == ["share", "shared"]


def test_one_of_a_process_deletes_with_the_lock_of_all(outside: Outside) -> None:
    lock = OutsideReadWriteLock(outside)
    waiting: list[int] = []
    hold = outside.hold

    @contextmanager
    def noted(level: Level, name: str = "") -> Iterator[None]:
        waiting.append(lock.waiting)
        with hold(level, name):
            yield

    outside.hold = noted  # type: ignore[method-assign]
    assert lock.waiting == 0
    with lock.alone():
        assert lock._deleting.locked()
        assert outside.done == ["hold"]
        assert lock.waiting == 0
    assert not lock._deleting.locked()
    assert outside.done == ["hold", "held"]
    assert waiting == [1]


def test_one_who_cannot_give_back_the_lock_of_before_does_not_keep_the_new_one(
    outside: Outside, now: list[float]
) -> None:
    lock = OutsideReadWriteLock(outside, seconds=lambda: now[0])
    share, errors = outside.share, [OSError("not given back")]

    @contextmanager
    def failing(level: Level, name: str = "") -> Iterator[None]:
        with share(level, name):
            yield
        if errors:
            raise errors.pop()

    outside.share = failing  # type: ignore[method-assign]
    with lock.shared():
        now[0] += 2 * read_write_lock.LONGEST_SHARE_S
        with pytest.raises(OSError, match="not given back"), lock.shared():
            pytest.fail("it is not shared")
    assert outside.done == ["share", "share", "shared", "shared"]
