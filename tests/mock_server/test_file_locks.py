"""Locks that servers of one machine share: who waits where, and whom that keeps out."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store import locks as module
from conductor_mock.store.locks import FileLocks, KeptError, Level, is_supported, number_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no such locks elsewhere")


PATIENCE_S = 60


class WouldWaitError(Exception):
    """The lock with this number is not free."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileLocks:
    """Where one would wait, there is WouldWaitError."""
    take = module._lock

    def at_once(handle: int, kind: int, number: int) -> None:
        monkeypatch.setattr(fcntl, "F_OFD_SETLKW", fcntl.F_OFD_SETLK)
        try:
            take(handle, kind, number)
        except BlockingIOError:
            meanwhile(number)
            raise WouldWaitError(number) from None

    monkeypatch.setattr(module, "_lock", at_once)
    return FileLocks(tmp_path / "locks")


def nothing(_: int) -> None:
    pass


meanwhile: Callable[[int], None] = nothing


@pytest.mark.parametrize("first", ["hold", "share"])
@pytest.mark.parametrize("second", ["hold", "share"])
def test_who_comes_second_waits_for_the_lock_itself_unless_both_share(
    first: str, second: str, locks: FileLocks
) -> None:
    number = number_of(Level.ACCOUNT, "a")
    with getattr(locks, first)(Level.ACCOUNT, "a"), ExitStack() as other:
        if (first, second) == ("share", "share"):
            other.enter_context(locks.share(Level.ACCOUNT, "a"))
        else:
            with pytest.raises(WouldWaitError) as waits:
                other.enter_context(getattr(locks, second)(Level.ACCOUNT, "a"))
            assert waits.value.number == number, "its gate is free for whoever comes next"
        other.enter_context(getattr(locks, second)(Level.ACCOUNT, "b"))
    with locks.hold(Level.ACCOUNT, "a"):
        pass


def test_one_who_waits_to_hold_a_lock_keeps_out_who_comes_to_share_it_and_nobody_else(
    locks: FileLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def others_come(_: int) -> None:
        monkeypatch.setitem(globals(), "meanwhile", nothing)
        with pytest.raises(WouldWaitError), locks.share(Level.CONTENTS, "a"):
            seen.append("in before who waits")
        with locks.share(Level.CONTENTS, "b"):
            seen.append("another lock is free")

    with locks.share(Level.CONTENTS, "a"):
        monkeypatch.setitem(globals(), "meanwhile", others_come)
        with pytest.raises(WouldWaitError), locks.hold(Level.CONTENTS, "a"):
            seen.append("held although it is shared")
    assert seen == ["another lock is free"]


@given(st.lists(st.tuples(st.sampled_from(Level), st.text(max_size=5)), min_size=2, max_size=20, unique=True))
def test_every_lock_has_a_number_of_its_own(names: list[tuple[Level, str]]) -> None:
    numbers = {number_of(level, name) for level, name in names}
    assert len(numbers) == len(names)
    assert all(0 <= number < 1 << 62 for number in numbers)


def test_linux_has_such_locks() -> None:
    assert is_supported() is True


def test_numbers_use_all_of_their_bits_and_levels_their_order() -> None:
    numbers = [number_of(Level.ACCOUNT, str(number)) for number in range(100)]
    assert max(numbers) >= 1 << 61
    assert [level.name for level in sorted(Level)] == ["UPLOAD", "ACCOUNT", "CONTENTS", "COMMIT"]


@pytest.mark.parametrize("kept", ["hold", "share"])
@pytest.mark.parametrize("wanted", ["hold", "share"])
def test_a_lock_that_another_keeps_is_waited_for_within_a_limit_and_whoever_gave_up_keeps_out_nobody(
    kept: str, wanted: str, tmp_path: Path
) -> None:
    others, locks = FileLocks(tmp_path / "locks"), FileLocks(tmp_path / "locks", patience_s=0.01)
    with getattr(others, kept)(Level.CONTENTS):
        for _ in range(2):
            if "hold" in (kept, wanted):
                with (
                    pytest.raises(KeptError, match="kept the lock of its contents for 0"),
                    getattr(locks, wanted)(Level.CONTENTS),
                ):
                    pytest.fail("it is kept")
        if kept == "share":
            with locks.share(Level.CONTENTS):
                pass
    with getattr(FileLocks(tmp_path / "locks"), wanted)(Level.CONTENTS):
        pass


def test_a_lock_that_comes_in_time_is_held_and_keeps_others_out(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks", patience_s=PATIENCE_S)
    order: list[str] = []
    before = set(threading.enumerate())

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "lock" and thread not in before]

    def wait() -> None:
        with locks.hold(Level.ACCOUNT, "a"), locks.try_hold(Level.ACCOUNT, "a") as another:
            order.append("held twice" if another else "held")

    with ThreadPoolExecutor(3) as pool:
        with locks.hold(Level.ACCOUNT, "a"):
            waiting = [pool.submit(wait) for _ in range(3)]
            while len(threads()) < len(waiting):
                assert not any(one.done() for one in waiting)
            order.append("kept")
        for one in waiting:
            one.result(PATIENCE_S)
        assert order == ["kept", *["held"] * 3]
        with locks.hold(Level.ACCOUNT, "a"):
            late = pool.submit(wait)
            idle = threads()
            locks.close()
        late.result(PATIENCE_S)
    assert len(idle) <= len(waiting), "those that are there take the next waits"
    for thread in idle:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_where_no_thread_is_left_a_lock_is_waited_for_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(module, "_try_lock", lambda *_: False)
    with FileLocks(tmp_path / "locks").hold(Level.ACCOUNT, "a"):
        monkeypatch.undo()
        with FileLocks(tmp_path / "locks").try_hold(Level.ACCOUNT, "a") as another:
            assert not another


def test_a_lock_is_one_byte_and_no_neighbour_of_it(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    with locks._opened() as one, locks._opened() as other:
        module._lock(one, fcntl.F_WRLCK, 7)
        assert [module._try_lock(other, number) for number in (6, 7, 8)] == [True, False, True]
    with locks._opened() as one, locks._opened() as other:
        assert module._try_lock(one, 7)
        assert module._try_lock(other, 8)
        assert not module._try_lock(other, 7)


def test_what_is_no_refusal_of_a_lock_is_raised(tmp_path: Path) -> None:
    (tmp_path / "locks").touch()
    handle = os.open(tmp_path / "locks", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r".+") as refused:
            module._try_lock(handle, 1)
    finally:
        os.close(handle)
    assert refused.value.errno == errno.EBADF


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_either_refusal_of_the_system_says_that_somebody_has_it(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert module._try_lock(0, 1) is False
