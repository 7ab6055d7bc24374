"""Calls that move simulated time: what they write, whom they let in, how long they wait for what runs for real."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conductor_contracts.contract import load_control
from conductor_mock.control import clock
from conductor_mock.farm import steps
from conductor_mock.store.changes import Changed, Changes
from support.server import SECOND, START_US, Answer, ApiCaller, Fake, running

HELD = {"scout_frames": "8"}
"""A job of two tasks, the second of which waits until its scout was approved."""


def move(caller: ApiCaller, **body: Any) -> Answer:
    return caller.post("/_mock/clock", body, query={"account": caller.client_id})


def commands(fake: Fake, caller: ApiCaller) -> int:
    """How many commands the log of an account has."""
    return fake.state(caller).seq


def submit(caller: ApiCaller, tasks: int = 1, **fields: Any) -> str:
    entries = [{"command": "render", "frames": str(frame)} for frame in range(8, 8 + tasks)]
    answer = caller.submit(tasks_data=entries, **fields)
    assert answer.status == 201, answer
    return str(answer.json()["jobid"])


class Real:
    """Tasks that run for real, as many as a test says; wall seconds pass where somebody waits for them."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.now_s = 1000.0
        self.waits: list[tuple[str, float | None]] = []
        self.changes_in_time = 0

    def left_to_execute(self, _state: object, _jid: str | None) -> int:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, changes: Changes, account_id: str, before: Changed, timeout_s: float | None) -> bool:
        self.waits.append((account_id, timeout_s))
        if before != changes.count(account_id):
            return True
        if self.changes_in_time:
            self.changes_in_time -= 1
            self.now_s += 3
            return True
        self.now_s += timeout_s or 0
        return False


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Real:
    real = Real()
    monkeypatch.setattr(clock, "left_to_execute", real.left_to_execute)
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=real.monotonic))

    def wait(self: Changes, account_id: str, before: Changed, timeout_s: float | None) -> bool:
        return real.wait(self, account_id, before, timeout_s)

    monkeypatch.setattr(Changes, "wait", wait)
    return real


def test_a_call_that_moves_nothing_writes_nothing(fake: Fake) -> None:
    caller = fake.caller()
    submit(caller)
    before = commands(fake, caller)
    assert move(caller, until="idle").json()["now_us"] > START_US
    assert commands(fake, caller) == before + 1

    assert move(caller, until="idle").status == 200
    assert move(caller, until={"job": "00001"}).status == 200
    assert commands(fake, caller) == before + 1


def test_a_call_without_a_time_moves_nothing(fake: Fake) -> None:
    caller = fake.caller()
    assert move(caller, speed=2).json()["now_us"] == START_US
    assert move(caller, advance=1).json()["now_us"] == START_US + SECOND


def test_a_call_says_why_the_clock_was_not_moved(fake: Fake) -> None:
    caller = fake.caller()
    move(caller, speed=1_000_000)
    fake.wall.step(10**7)
    answer = move(caller, advance=1)
    assert answer.status == 400
    assert answer.message == "the clock was not moved: simulated time ends with the year 9999"
    assert answer.faults == {"": "simulated time ends with the year 9999"}


def test_others_have_their_turn_after_each_slice_but_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    with running(give_way=lambda: turns.append(1)) as fake:
        caller = fake.caller()
        for body in ({"until": "idle"}, {"advance": 10_000}, {"until": {"job": "00003"}}):
            submit(caller)
            monkeypatch.setattr(steps, "SLICE", 1_000)
            turns.clear()
            before = commands(fake, caller)
            monkeypatch.setattr(steps, "SLICE", 1)
            assert move(caller, **body).status == 200
            slices = commands(fake, caller) - before
            assert slices > 1
            assert len(turns) == slices - 1


def test_it_is_said_what_holds_of_a_job_or_of_all(fake: Fake) -> None:
    caller = fake.caller()
    first, second, done = submit(caller, 2, **HELD), submit(caller, 2, **HELD), submit(caller)

    def holds(until: Any) -> list[str]:
        return [hold["jid"] for hold in move(caller, until=until).json()["holds"]]

    assert holds("idle") == [first, second]
    assert holds({"job": second}) == [second]
    assert holds({"job": done}) == []


def test_tasks_that_run_for_real_are_waited_for_as_long_as_was_asked_for(fake: Fake, real: Real) -> None:
    real.left, real.changes_in_time = [3], 2
    caller = fake.caller()

    answer = move(caller, until="idle", within=7.5)

    assert answer.status == 409
    assert answer.message.startswith("after 7.5 s of real time 3 tasks for real did not end yet")
    assert [timeout_s for _, timeout_s in real.waits] == [7.5, 4.5, 1.5]


def test_nobody_waits_longer_than_was_asked_for_however_late_it_is(fake: Fake, real: Real) -> None:
    real.left, real.changes_in_time = [1], 1
    assert move(fake.caller(), until="idle", within=1).status == 409
    assert [timeout_s for _, timeout_s in real.waits] == [1, 0]


def test_without_a_time_a_call_waits_as_long_as_its_contract_says(fake: Fake, real: Real) -> None:
    real.left = [1]
    assert move(fake.caller(), until="idle").status == 409

    said = load_control().document["components"]["schemas"]["ClockMove"]["properties"]["within"][
        "description"
    ]
    assert said.endswith(f"; {clock.WITHIN_S} without it.")
    assert [timeout_s for _, timeout_s in real.waits] == [clock.WITHIN_S]


def test_it_goes_on_when_the_tasks_have_ended(fake: Fake, real: Real) -> None:
    real.left, real.changes_in_time = [2, 1, 0], 2
    assert move(fake.caller(), until="idle", within=60).status == 200
    assert len(real.waits) == 2


def test_what_changed_while_it_looked_is_not_waited_for(fake: Fake, real: Real) -> None:
    """The first look moves time on, which is a change; whoever waited for one behind that might wait for ever."""
    caller = fake.caller()
    submit(caller)
    real.left = [1, 0]
    assert move(caller, until="idle", within=60).status == 200
    assert len(real.waits) == 1
    assert real.now_s == 1000.0
