"""What a driver is refused it tries again, until it goes well or the driver is to stop."""

from __future__ import annotations

import errno
import logging
import threading

import pytest
import sqlalchemy as sa

from conductor_mock.execution.insisting import AGAIN_S, Insisting, may_pass
from conductor_mock.store.heads import MovedLogError

TWICE = sa.exc.IntegrityError("INSERT", {}, Exception("it is there"))
FULL = OSError(errno.ENOSPC, "No space left on device")
PASSING = [
    (TWICE, "(builtins.Exception) it is there"),
    (sa.exc.SQLAlchemyError("odd"), "odd"),
    (MovedLogError("a"), "its disk refuses (ESTALE"),
    (FULL, "its disk refuses (ENOSPC"),
]
LASTING = [ZeroDivisionError("ours"), ConnectionError("gone"), FileNotFoundError(errno.ENOENT, "none")]


class Closing(threading.Event):
    """Notes how long was waited for it; it is set at the wait with this number."""

    def __init__(self, at: int = 0) -> None:
        super().__init__()
        self.at = at
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return len(self.waits) == self.at


class Refused:
    """An action that is refused some times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times = error, times

    def __call__(self) -> str:
        if self.times:
            self.times -= 1
            raise self.error
        return "done"


@pytest.mark.parametrize(("error", "told"), PASSING)
def test_what_may_pass_is_tried_again_and_told_once(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    closing = Closing()
    assert may_pass(error)
    with caplog.at_level(logging.INFO):
        assert Insisting(closing).on(Refused(error, 3)) == "done"
    assert closing.waits == [AGAIN_S] * 3
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith(f"runs cannot be looked after, which is tried again: {told}")
    assert last == "runs are looked after again"


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_does_not_pass_is_raised_at_once(error: Exception) -> None:
    assert not may_pass(error)
    closing = Closing(at=1)
    with pytest.raises(type(error)):
        Insisting(closing).on(Refused(error, 1))
    assert closing.waits == []


def test_a_driver_that_is_to_stop_tries_no_more() -> None:
    closing = Closing(at=2)
    assert Insisting(closing).on(Refused(FULL, 5)) is None
    assert len(closing.waits) == 2
