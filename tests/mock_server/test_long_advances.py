"""Long work is cut into slices: others come in between, and what a slice reached is there after a crash."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.farm import fold, steps
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import TaskStatus
from conductor_mock.store import accounts as accounts_module
from conductor_mock.store import collector, snapshots
from conductor_mock.store.slots import Slot
from conductor_mock.store.snapshots import Snapshots
from support import states
from support.server import SECOND, Fake, ManualWall, job_payload, running

PATIENCE_S = 30

ONE_EVENT = 1


def submit(fake: Fake, tasks: int = 40) -> Any:
    caller = fake.caller()
    entries = [{"command": f"render {frame}", "frames": str(frame)} for frame in range(tasks)]
    assert caller.post("/jobs/", job_payload(tasks_data=entries)).status == 201
    return caller


def image(fake: Fake, client_id: str = "studio") -> Any:
    """Everything that an account is, but for how many commands made it so."""
    with fake.service.accounts.open(account_id(client_id)) as account:
        return {**states.image(account.state), "seq": None}


def clock(caller: Any, **body: Any) -> Any:
    answer = caller.post("/_mock/clock", body, query={"account": "studio"})
    assert answer.status == 200, answer
    return answer.json()


def slices_of(monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    monkeypatch.setattr(steps, "SLICE", events)
    monkeypatch.setattr(accounts_module, "CATCH_UP", events)


class Turns:
    """What happens between two slices: nothing until a test says what."""

    def __init__(self) -> None:
        self.do: Callable[[], None] = lambda: None

    def __call__(self) -> None:
        self.do()

    def let_in(self, do: Callable[[], None]) -> None:
        """Do something after each slice, in a thread of its own, while the work waits for it."""

        def give_way() -> None:
            done = threading.Event()

            def work() -> None:
                do()
                done.set()

            threading.Thread(target=work, daemon=True).start()
            assert done.wait(PATIENCE_S), "nobody was let in"

        self.do = give_way


@pytest.mark.parametrize("move", [{"advance": 3600}, {"until": "idle"}, {"until": {"job": "00001"}}], ids=str)
def test_the_account_and_others_are_answered_between_two_slices(
    move: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the lock held over the whole advance, the request that is made between two slices would never end."""
    slices_of(monkeypatch, ONE_EVENT)
    turns = Turns()
    with running(give_way=turns) as fake:
        caller, other = submit(fake), fake.caller("other")
        running_then: list[int] = []

        def ask() -> None:
            running_then.append(caller.jobs()[0]["running"])
            assert other.submit().status == 201

        turns.let_in(ask)
        clock(caller, **move)

        assert len(running_then) > 10
        assert max(running_then) > 0
        assert caller.jobs()[0]["success"] == 40


def test_a_farm_that_catches_up_lets_others_in(monkeypatch: pytest.MonkeyPatch) -> None:
    slices_of(monkeypatch, ONE_EVENT)
    wall = ManualWall()
    turns = Turns()
    with running(wall, speed=1, give_way=turns) as fake:
        caller, other = submit(fake), fake.caller("other")
        answered: list[int] = []
        turns.let_in(lambda: answered.append(other.get("/api/v1/jobs").status))
        wall.step(3000)

        assert caller.jobs()[0]["success"] == 40
        assert len(answered) > 10
        assert set(answered) == {200}


def test_a_replay_after_a_crash_lets_others_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices_of(monkeypatch, ONE_EVENT)
    wall = ManualWall()
    with running(wall, data_dir=tmp_path) as fake:
        caller = submit(fake)
        fake.caller("other")
        clock(caller, advance=600)
        before = image(fake)
        fake.crash()
    turns = Turns()
    with running(wall, data_dir=tmp_path, give_way=turns) as fake:
        caller, other = fake.anonymous(), fake.caller("other")
        answered: list[int] = []
        turns.let_in(lambda: answered.append(other.get("/api/v1/jobs").status))

        assert caller.sign_in().status == 200
        assert len(answered) > 40, "tasks began, and each was a slice"
        assert set(answered) == {200}
        turns.do = lambda: None
        assert image(fake) == before


@pytest.mark.parametrize("most", [1, 7, 50, 1_000_000])
def test_a_replay_in_slices_is_the_replay(most: int, tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = submit(fake)
        clock(caller, advance=100)
        caller.submit()
        clock(caller, advance=600)
        records = list(fake.service.log.read(account_id("studio")))
    turns: list[int] = []
    whole = fold.replay(records)
    sliced = fold.replay(records, most=most, between=lambda: turns.append(1))

    assert whole is not None
    assert sliced is not None
    assert states.image(sliced) == states.image(whole)
    work = whole.happened + 41 + fold.EVENTS_OF_A_COMMAND * len(records)
    assert len(turns) <= work / most, "no turn is given before its time"
    assert len(turns) >= min(len(records), work // most // 2), "none is forgotten"


def test_a_farm_that_is_slower_than_its_clock_catches_up_to_when_it_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a slice is simulated more time passes than it holds: the end would be out of reach."""
    slices_of(monkeypatch, ONE_EVENT)
    wall = ManualWall()
    turns = Turns()
    with running(wall, speed=1, give_way=turns) as fake:
        submit(fake)
        wall.step(3000)
        asked_at = wall.us
        turns.do = lambda: wall.step(3000)

        with fake.service.accounts.open(account_id("studio")) as account:
            assert account.state.now_us == asked_at
        assert wall.us > asked_at + 10 * 3000 * SECOND


@pytest.mark.parametrize("events", [1, 7, 1000])
def test_slices_change_nothing_of_what_happens(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = []
    for size in (events, 10**9):
        slices_of(monkeypatch, size)
        with running(fleet=7) as fake:
            caller = submit(fake)
            clock(caller, advance=300)
            clock(caller, advance=3600, speed=2)
            images.append(image(fake))
    assert images[0] == images[1]
    assert images[0]["clock"]["speed_millionths"] == 2_000_000


def test_a_new_speed_begins_when_the_jump_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the way, wall time counts as before: a crash in between leaves an account whose clock nobody sped up."""
    slices_of(monkeypatch, ONE_EVENT)
    turns = Turns()
    with running(speed=2, give_way=turns) as fake:
        caller = submit(fake)
        speeds: set[float] = set()
        query = {"account": "studio"}
        turns.let_in(lambda: speeds.add(caller.get("/_mock/clock", query=query).json()["speed"]))

        assert clock(caller, advance=3600, speed=60)["speed"] == 60
        assert speeds == {2}


@pytest.mark.parametrize("speed", [0, 1, 60])
def test_a_jump_of_one_account_moves_no_other(speed: int) -> None:
    wall = ManualWall()
    with running(wall, speed=speed) as fake:
        callers = {name: fake.caller(name) for name in ("studio", "other")}
        for caller in callers.values():
            assert caller.submit().status == 201

        def shown(name: str) -> tuple[int, str]:
            now = callers[name].get("/_mock/clock", query={"account": name}).json()["now_us"]
            return now, callers[name].jobs()[0]["status"]

        before = {name: shown(name) for name in callers}
        clock(callers["studio"], advance=600)
        assert shown("studio") == (before["studio"][0] + 600_000_000, "success")
        assert shown("other") == before["other"]
        wall.step(10)
        assert shown("studio")[0] - shown("other")[0] == 600_000_000


def test_a_sliced_advance_moves_time_by_what_was_asked_for_however_long_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Simulated time is wall time times speed plus all that was advanced by hand: neither swallows the other."""
    slices_of(monkeypatch, ONE_EVENT)
    wall = ManualWall()
    turns = Turns()
    with running(wall, speed=1, give_way=turns) as fake:
        caller = submit(fake)
        before = clock(caller, advance=0)["now_us"]
        slices: list[int] = []

        def a_second_passes() -> None:
            wall.step(1)
            slices.append(1)

        turns.do = a_second_passes
        after = clock(caller, advance=3600)["now_us"]

        assert len(slices) > 10
        assert after - before == (3600 + len(slices)) * 1_000_000


def test_what_the_slices_reached_is_there_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices_of(monkeypatch, ONE_EVENT)

    class CrashError(Exception):
        pass

    reached: list[Any] = []
    turns = Turns()
    with running(data_dir=tmp_path, give_way=turns) as fake:
        caller = submit(fake)

        def crash() -> None:
            reached.append(image(fake))
            if len(reached) == 25:
                raise CrashError

        turns.do = crash
        with pytest.raises(AssertionError, match="CrashError"):
            clock(caller, advance=3600)
        fake.crash()
    with running(data_dir=tmp_path) as fake:
        assert image(fake) == reached[-1]
        clock(fake.caller(), advance=7200)
        assert fake.caller().jobs()[0]["success"] == 40


def test_a_snapshot_is_taken_after_a_number_of_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a restart would simulate a long day again, of which the log has one line."""
    slices_of(monkeypatch, 10)
    monkeypatch.setattr(snapshots, "SNAPSHOT_EVENTS", 50)
    with running(data_dir=tmp_path) as fake:
        caller = submit(fake, tasks=60)
        clock(caller, advance=3600)
        kept = fake.service.log.load_snapshot(account_id("studio"))
        before = image(fake)
        fake.crash()
        assert kept is not None
        assert kept.jobs[1].counts[TaskStatus.SUCCESS] > 0
    with running(data_dir=tmp_path) as fake:
        assert image(fake) == before


def test_snapshots_cost_no_more_than_the_events_that_they_save(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account of many tasks is written after as many events: a snapshot of it is as much work as those."""
    monkeypatch.setattr(snapshots, "SNAPSHOT_EVENTS", 10)
    slices_of(monkeypatch, ONE_EVENT)
    taken: list[int] = []
    monkeypatch.setattr(Snapshots, "take", snapshot_counting(taken))
    with running() as fake:
        caller = submit(fake, tasks=100)
        clock(caller, advance=3600)
        with fake.service.accounts.open(account_id("studio")) as account:
            happened = account.state.happened
    assert len(taken) > 1
    assert len(taken) <= 1 + happened // 100


def snapshot_counting(taken: list[int]) -> Callable[..., None]:
    take = Snapshots.take

    def counted(self: Snapshots, slot: Slot, state: State) -> None:
        if state.happened:
            taken.append(state.happened)
        take(self, slot, state)

    return counted


def test_the_collector_rests_while_a_snapshot_is_read_and_works_again_after() -> None:
    assert gc.isenabled()
    with collector.resting():
        assert not gc.isenabled()
        with collector.resting():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_is_spared_is_not_looked_through_again_and_garbage_is_not_spared() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    kept = [Cycle() for _ in range(10)]
    gone = weakref.ref(Cycle())
    try:
        collector.spare_what_is_there()
        assert gone() is None
        assert not any(one is kept for one in gc.get_objects())
    finally:
        gc.unfreeze()
