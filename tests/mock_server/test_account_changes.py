"""Waiting until an account has changed, here or at another server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from conductor_mock.store import changes
from conductor_mock.store.changes import LOOK_EVERY_S, Changed, Changes
from conductor_mock.store.heads import End

OLD, NEW = End(1, "old"), End(2, "new")
AWAY = sa.exc.OperationalError("SELECT", {}, Exception("away"))


class Timed(Changes):
    """Waits take no time but that of a clock of its own."""

    def __init__(self, end: Callable[[str], End | None] | None, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(end)
        self.waits: list[float | None] = []
        self.now_s = 0.0
        monkeypatch.setattr(changes, "time", SimpleNamespace(monotonic=lambda: self.now_s))

    def _wait_here(self, account_id: str, before: Changed, timeout_s: float | None) -> bool:
        assert len(self.waits) < 20
        self.waits.append(timeout_s)
        self.now_s += timeout_s or 0
        return super()._wait_here(account_id, before, 0)


def told(*answers: End | Exception | None) -> Callable[[str], End | None]:
    """Answers, one after the other; the last one again and again."""
    left = list(answers)

    def end(account_id: str) -> End | None:
        assert account_id == "a"
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return end


def test_a_lone_server_counts_its_own_changes_and_wakes_who_waits() -> None:
    alone, woken = Changes(), list[None]()
    notify = alone._changed.notify_all
    alone._changed.notify_all = lambda: (woken.append(None), notify())  # type: ignore[method-assign, assignment, func-returns-value]
    before = alone.count("a")
    assert before == Changed(0, None)
    assert alone.wait("a", before, 0) is False
    alone.note("b")
    assert alone.wait("a", before, 0) is False
    alone.note("a")
    assert alone.wait("a", before, None) is True
    assert alone.count("a") == Changed(1, None)
    assert len(woken) == 2


def test_whoever_waits_is_told_at_once() -> None:
    alone, begun, told_it = Changes(), threading.Event(), list[bool]()
    before = alone.count("a")

    def wait() -> None:
        begun.set()
        told_it.append(alone.wait("a", before, None))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert begun.wait(60)
    alone.note("a")
    thread.join(60)
    assert told_it == [True]


def test_what_another_server_wrote_is_looked_for_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for timeout_s in (None, 60):
        several = Timed(told(OLD, OLD, OLD, NEW), monkeypatch)
        before = several.count("a")
        assert before == Changed(0, OLD)
        assert several.wait("a", before, timeout_s) is True
        assert several.waits == [LOOK_EVERY_S] * 3


def test_a_change_of_our_own_is_seen_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    several = Timed(told(OLD, ZeroDivisionError()), monkeypatch)
    before = several.count("a")
    several.note("a")
    assert several.wait("a", before, 60) is True


@pytest.mark.parametrize(
    ("timeout_s", "waits"),
    [(0.5, [0.2, 0.2, 0.1]), (LOOK_EVERY_S, [LOOK_EVERY_S]), (0.1, [0.1]), (0, [0]), (-1, [0])],
)
def test_nobody_waits_longer_than_asked(
    timeout_s: float, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    several = Timed(told(OLD), monkeypatch)
    several.now_s = 1000.0
    assert several.wait("a", several.count("a"), timeout_s) is False
    assert several.waits == pytest.approx(waits)


@pytest.mark.parametrize("error", [OSError("away"), AWAY])
def test_a_log_that_cannot_be_read_is_looked_at_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = Timed(told(OLD, error, error, NEW), monkeypatch)
    assert several.wait("a", several.count("a"), None) is True
    assert len(several.waits) == 3
