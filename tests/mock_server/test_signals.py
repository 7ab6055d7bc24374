"""Signals that end a program reach its main thread, whichever thread the kernel gave them to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from conductor_mock.serving.signals import ENDING, EndingSignals


@pytest.fixture
def bystander() -> Iterator[None]:
    """A thread that takes the signals which the main thread does not."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("kept_from_us", [False, True], ids=["the main thread", "another one"])
@pytest.mark.usefixtures("bystander")
def test_a_signal_is_told_of_whoever_took_it(number: signal.Signals, kept_from_us: bool) -> None:
    with EndingSignals() as signals:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {number} if kept_from_us else set())
        try:
            os.kill(os.getpid(), number)
            assert signals.next() == number
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_one_who_waits_can_be_woken_by_another_thread() -> None:
    with EndingSignals() as signals:
        waker = threading.Thread(target=signals.wake)
        waker.start()
        assert signals.next() == 0
        waker.join()


def test_afterwards_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with EndingSignals():
        assert [signal.getsignal(number) for number in ENDING] != before
    assert [signal.getsignal(number) for number in ENDING] == before
    assert signal.set_wakeup_fd(-1) == -1
