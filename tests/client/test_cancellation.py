"""A switch that ends work, from any thread."""

from __future__ import annotations

import threading

import pytest

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.exceptions import ConductorError


def test_check_raises_once_cancelled_and_not_before() -> None:
    cancellation = Cancellation()
    cancellation.check()
    states = [cancellation.cancelled]
    cancellation.cancel()
    cancellation.cancel()
    states.append(cancellation.cancelled)
    assert states == [False, True]
    with pytest.raises(CancelledError):
        cancellation.check()
    assert issubclass(CancelledError, ConductorError)


def test_whoever_waits_is_woken_by_another_thread() -> None:
    cancellation = Cancellation()
    thread = threading.Thread(target=cancellation.cancel)
    thread.start()
    assert cancellation.wait(60)
    thread.join()


def test_callbacks_are_called_once_within_their_block_and_never_after_it() -> None:
    cancellation, calls = Cancellation(), list[str]()
    with cancellation.calling(lambda: calls.append("left")):
        pass
    with cancellation.calling(lambda: calls.append("inside")):
        cancellation.cancel()
        cancellation.cancel()
    with cancellation.calling(lambda: calls.append("late")):
        pass
    assert calls == ["inside", "late"]
