"""A driver whose database or store refuses something: no task fails for it, and it goes on by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conductor_mock.execution import insisting
from conductor_mock.store.changes import Changes
from conductor_mock.store.trouble import UnavailableError
from support.execution import Render, executing

AWAY = sa.exc.OperationalError("SELECT 1", {}, Exception("the connection is lost"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait a second before the next try."""
    monkeypatch.setattr(insisting, "AGAIN_S", 0.01)


@pytest.fixture
def render(tmp_path: Path) -> Iterator[Render]:
    with executing(tmp_path / "data") as render:
        yield render


def is_drivers() -> bool:
    return threading.current_thread().name.startswith(("driver", "attempt"))


class Refused:
    """Calls of a driver that are refused, by their number, before or after they did what they do."""

    def __init__(self) -> None:
        self.count = 0
        self.number = 0
        self.behind = False
        self.times = 0
        self._guard = threading.Lock()

    def is_this(self, *, behind: bool) -> bool:
        with self._guard:
            if not is_drivers() or behind != self.behind:
                return False
            self.count += 1
            hit = self.count == self.number
            self.times += hit
            return hit


@pytest.mark.parametrize("behind", [False, True], ids=["before", "after"])
def test_a_database_that_refuses_one_call_of_the_driver_fails_no_task(
    behind: bool, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = render.fake.service.accounts
    opened, refused = accounts.open, Refused()

    @contextmanager
    def open_account(account_id: str, **arguments: Any) -> Iterator[Any]:
        if refused.is_this(behind=False):
            raise AWAY
        with opened(account_id, **arguments) as account:
            yield account
        if refused.is_this(behind=True):
            raise AWAY

    monkeypatch.setattr(type(accounts), "open", lambda _, *given, **named: open_account(*given, **named))
    for number in range(1, 9):
        refused.count, refused.number, refused.behind = 0, number, behind
        job = render.run(f"echo {number} > /proj/out/made")
        (task,) = job["tasks"]
        outcomes = [one["outcome"] for one in task["attempts"]]
        assert outcomes in (["success"], ["lost", "success"]), (number, task["attempts"])
        assert render.contents(job["jid"]) == {"made": f"{number}\n".encode()}
    assert refused.times >= 6, "or the driver does not ask so often, and less is tried here than it says"


@pytest.mark.parametrize("error", [AWAY, UnavailableError("its object store does not answer")])
def test_what_a_task_made_and_said_is_kept_once_that_can_be_stored(
    error: Exception, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = render.fake.service.contents
    add, left = contents.add_output, [3]

    def add_output(*given: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return add(*given, **named)

    monkeypatch.setattr(contents, "add_output", add_output)
    job = render.run("echo said; echo made > /proj/out/made")

    assert job["status"] == "success"
    assert render.contents(job["jid"]) == {"made": b"made\n"}
    assert "said" in render.log(job["jid"])


def test_a_driver_that_cannot_ask_how_far_the_account_is_goes_on_and_says_so_once(
    render: Render, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    count: Callable[..., Any] = Changes.count
    left = [20]

    def count_or_not(self: Changes, account_id: str) -> Any:
        if is_drivers() and left[0]:
            left[0] -= 1
            raise AWAY
        return count(self, account_id)

    monkeypatch.setattr(Changes, "count", count_or_not)
    with caplog.at_level(logging.INFO, "conductor_mock.execution"):
        assert render.run("true")["status"] == "success"

    assert left == [0]
    told = [(one.levelname, one.exc_info) for one in caplog.records if "looked after" in one.message]
    assert told == [("WARNING", None), ("INFO", None)]
