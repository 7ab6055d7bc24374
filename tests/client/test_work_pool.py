"""The pool that work runs in."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.transfers.work_pool import SEVERAL, SmallWork, Then, Work, WorkPool, several, work_through


def test_one_worker_works_in_the_calling_thread() -> None:
    with WorkPool[threading.Thread](1) as pool:
        pool.give(threading.current_thread)
        assert pool.take() is threading.current_thread()


def test_several_workers_work_in_threads_side_by_side() -> None:
    together = threading.Barrier(3)
    with WorkPool[int](3) as pool:
        for _ in range(3):
            pool.give(lambda: together.wait(timeout=30))
        assert sorted(pool.take() for _ in range(3)) == [0, 1, 2]


@pytest.mark.parametrize(("workers", "room"), [(1, 1), (2, 4), (5, 10)])
def test_the_room_is_bounded(workers: int, room: int) -> None:
    handed_out = 0
    with WorkPool[None](workers) as pool:
        while pool.room:
            pool.give(lambda: None)
            handed_out += 1
        assert handed_out == room
        idle_when_full = pool.idle
        for _ in range(handed_out):
            pool.take()
        assert (idle_when_full, pool.idle, pool.pending) == (False, True, 0)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_work_raises_is_raised_to_the_owner(workers: int) -> None:
    def work() -> None:
        raise KeyError("boom")

    def own() -> None:
        with WorkPool[None](workers) as pool:
            pool.give(work)
            pool.take()

    with pytest.raises(KeyError, match="boom"):
        own()


def test_leaving_drops_what_has_not_begun() -> None:
    started, gate, done = threading.Semaphore(0), threading.Event(), list[str]()

    def hold() -> None:
        started.release()
        gate.wait(timeout=30)
        done.append("held")

    def leave() -> None:
        with WorkPool[None](2) as pool:
            pool.give(hold)
            pool.give(hold)
            started.acquire()
            started.acquire()
            pool.give(lambda: done.append("queued"))
            # Lets the two go on only when the owner is on its way out.
            threading.Timer(0.05, gate.set).start()
            raise KeyError

    with pytest.raises(KeyError):
        leave()
    assert done == ["held", "held"]


@pytest.mark.parametrize("workers", [1, 3])
def test_all_work_is_done_that_results_ask_for_too(workers: int) -> None:
    todo, done, moments = [3, 1], list[int](), list[None]()

    def next_work() -> Work | None:
        if not todo:
            return None
        number = todo.pop()
        return lambda: lambda: settle(number)

    def settle(number: int) -> None:
        done.append(number)
        if number > 1:
            todo.append(number - 1)

    with WorkPool[Then](workers) as pool:
        work_through(
            pool,
            next_work,
            tick=None,
            when_quiet=lambda: None,
            each_time=lambda: moments.append(None),
        )
    assert sorted(done) == [1, 1, 2, 3]
    assert len(moments) == len(done)


def test_a_pool_that_is_woken_says_that_nothing_came_back_and_goes_on() -> None:
    gate, quiet, todo = threading.Event(), list[str](), ["work"]

    def wait() -> Then:
        gate.wait(timeout=30)
        return lambda: None

    def when_quiet() -> None:
        quiet.append("woken")
        gate.set()

    with WorkPool[Then](2) as pool:
        pool.wake()
        work_through(
            pool,
            lambda: wait if todo and todo.pop() else None,
            tick=None,
            when_quiet=when_quiet,
            each_time=lambda: None,
        )
    assert quiet == ["woken"]


def test_a_thread_that_was_not_started_any_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), WorkPool[int](2) as pool:
        pool.give(lambda: 1)


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 9))
def test_small_pieces_that_follow_each_other_are_handed_out_together_and_none_is_lost(
    small: list[bool], workers: int
) -> None:
    done: list[int] = []
    waiting: deque[Work] = deque(
        (SmallWork if is_small else partial)(lambda number: partial(done.append, number), number)
        for number, is_small in enumerate(small)
    )
    while waiting:
        left = len(waiting)
        piece = several(waiting, workers)
        taken = range(len(small) - left, len(small) - len(waiting))
        assert len(taken) == 1 or all(small[number] for number in taken)
        assert len(taken) <= max(1, min(SEVERAL, -(-left // workers)))
        piece()()
    assert done == list(range(len(small)))
