"""What a server does again and again begins, ends, and begins again."""

from __future__ import annotations

import threading

from conductor_mock.store.rounds import Rounds

PATIENCE_S = 60


def test_rounds_go_on_until_they_are_closed_and_begin_again() -> None:
    called = threading.Semaphore(0)

    def once(_: threading.Event) -> float:
        called.release()
        return 0

    before = set(threading.enumerate())
    rounds = Rounds("rounds of a test", once)
    for _ in range(2):
        rounds.start()
        assert all(called.acquire(timeout=PATIENCE_S) for _ in range(3))
        rounds.close()
        assert set(threading.enumerate()) <= before


def test_a_round_under_way_is_told_of_the_end_and_is_the_last() -> None:
    begun, told = threading.Event(), []

    def once(stop: threading.Event) -> float:
        begun.set()
        told.append(stop.wait(PATIENCE_S))
        return 0

    rounds = Rounds("long rounds of a test", once)
    rounds.start()
    assert begun.wait(PATIENCE_S)
    rounds.close()
    assert told == [True]


def test_nothing_is_called_before_the_first_wait_and_a_close_without_a_start_is_none() -> None:
    called: list[None] = []

    def once(_: threading.Event) -> float:
        called.append(None)
        return 0

    Rounds("rounds that never were", once).close()
    rounds = Rounds("late rounds of a test", once, first_s=PATIENCE_S)
    rounds.start()
    rounds.close()
    assert called == []


class Waits(threading.Event):
    """What is waited for a number of times; notes for how long."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return len(self.waits) > self.most


def test_the_first_round_comes_at_once_and_the_next_ones_when_the_one_before_says() -> None:
    stop, answers = Waits(3), [1.0, 2.0, 3.0]
    given: list[object] = []

    def once(told: threading.Event) -> float:
        given.append(told)
        return answers.pop(0)

    Rounds("counted", once)._run(stop)
    assert stop.waits == [0, 1, 2, 3]
    assert given == [stop] * 3


def test_rounds_keep_no_process_and_those_that_begin_again_are_not_stopped() -> None:
    rounds = Rounds("again", lambda _: PATIENCE_S, first_s=PATIENCE_S)
    for _ in range(2):
        rounds.start()
        assert not rounds._stop.is_set()
        assert rounds._thread is not None
        assert rounds._thread.daemon
        assert rounds._thread.name == "conductor-mock again"
        rounds.close()
        assert not rounds._thread.is_alive()
