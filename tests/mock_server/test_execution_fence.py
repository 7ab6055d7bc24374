"""A driver whose role is taken away between what it logs and what it spawns, as while its process was stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.execution import runner
from conductor_mock.execution.driver import NO_LONGER_OURS, Driver
from conductor_mock.execution.order import Order, Report
from conductor_mock.farm.statuses import Outcome
from conductor_mock.store.roles import Roles
from support.execution import PATIENCE_S, Render, eventually, executing


class Stage:
    """A seat that can be taken away, and what was spawned, which is no process."""

    def __init__(self) -> None:
        self.is_ours = True
        self.spawned: list[str] = []
        self.ended = threading.Event()
        self.comes_to: Callable[[], Report] = lambda: Report(Outcome.SUCCESS, 0)

    def holds(self, _roles: Roles, _name: str) -> bool:
        return self.is_ours

    def run(self, order: Order, *_: object) -> Report:
        self.spawned.append(order.command)
        return self.comes_to()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(Roles, "holds", lambda roles, name: stage.holds(roles, name))
    monkeypatch.setattr(runner, "run", stage.run)
    return stage


@pytest.fixture
def render(tmp_path: Path, stage: Stage) -> Iterator[Render]:
    with executing(tmp_path / "data") as render:
        yield render
    stage.ended.set()


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, when the first attempt is logged and its order is made, before the spawn."""
    make, left = Driver._order, [happens]

    def order(*given: Any) -> Order | None:
        made = make(*given)
        if left:
            left.pop()()
        return made

    monkeypatch.setattr(Driver, "_order", order)


def look(render: Render) -> None:
    service = render.fake.service
    for account_id in service.accounts.ids():
        service.accounts.changes.note(account_id)


def attempts(render: Render, jid: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = render.job(jid)["tasks"][0]["attempts"]
    return found


def test_nothing_is_spawned_when_the_role_was_taken_away_after_the_start_was_logged(
    render: Render, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: setattr(stage, "is_ours", False))
    jid = render.start("one")
    first = eventually(lambda: [one for one in attempts(render, jid) if one["outcome"] == "stopped"])[0]
    assert NO_LONGER_OURS in str(first)
    assert stage.spawned == []
    stage.is_ours = True
    look(render)
    render.until_ended(jid)
    assert [one["outcome"] for one in attempts(render, jid)] == ["stopped", "success"]
    assert stage.spawned == ["one"]


def test_nothing_is_spawned_for_an_attempt_that_the_log_has_ended_meanwhile(
    render: Render, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = threading.Event()
    monkeypatch.setattr(Driver, "_report", lambda *_: killed.set())
    meanwhile(monkeypatch, lambda: render.act("kill", "00001"))
    assert render.start("one") == "00001"
    assert killed.wait(PATIENCE_S)
    assert stage.spawned == []


def test_what_was_spawned_is_ended_at_the_next_look_when_the_role_is_gone(
    render: Render, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = Driver._cancel

    def cancelled(*given: Any) -> None:
        cancel(*given)
        stage.ended.set()

    def long() -> Report:
        stage.is_ours = False
        look(render)
        stage.ended.wait(PATIENCE_S)
        return Report(None)

    monkeypatch.setattr(Driver, "_cancel", cancelled)
    stage.comes_to = long
    jid = render.start("one")
    eventually(lambda: [one for one in attempts(render, jid) if one["outcome"] == "stopped"])
    assert stage.ended.is_set()
    assert stage.spawned == ["one"]


def test_a_server_that_stops_ends_what_runs_before_it_waits_for_a_look_that_is_under_way(
    render: Render, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, waited = threading.Event(), list[bool]()
    cancel = Driver._cancel

    def cancelled(*given: Any) -> None:
        cancel(*given)
        stage.ended.set()

    def long_look(_: Driver) -> None:
        looking.set()
        waited.append(stage.ended.wait(PATIENCE_S))

    def long() -> Report:
        stage.ended.wait(PATIENCE_S)
        return Report(None)

    monkeypatch.setattr(Driver, "_cancel", cancelled)
    stage.comes_to = long
    jid = render.start("one")
    eventually(lambda: stage.spawned)
    monkeypatch.setattr(Driver, "_reconcile", long_look)
    look(render)
    assert looking.wait(PATIENCE_S)
    assert render.fake.service.driving is not None
    render.fake.service.driving.stop()
    assert waited == [True]
    assert attempts(render, jid)[0]["outcome"] == "stopped"
