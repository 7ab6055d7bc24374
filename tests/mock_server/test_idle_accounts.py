"""Accounts that nobody uses leave memory, whoever looks at all of them, and come back as they would have stayed."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.commands import JobCreated
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.values import Machine
from conductor_mock.settings import IDLE_S
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.idling import Idling
from conductor_mock.store.snapshots import Snapshots
from support.examples import examples
from support.lives import KINDS, Step, decided, steps
from support.server import Fake, ManualWall, job_payload, running
from support.states import differences, image

STUDIO = account_id("studio")

walls = st.sampled_from([0.0, 1.0, 61.0, 3600.0, -5.0, -3600.0])
"""Seconds by which the wall clock steps between two things; backwards as after a correction."""

moments = st.lists(
    st.tuples(steps([kind for kind in KINDS if kind != "speed"]), walls, st.booleans()),
    min_size=1,
    max_size=12,
)
"""What is done, how the wall clock steps after it, and whether the account leaves memory then."""


@given(moments)
@examples(12, full=25)
def test_an_account_that_left_memory_comes_back_as_one_that_stayed(
    moments: list[tuple[Step, float, bool]],
) -> None:
    wall = ManualWall()
    with running(wall, speed=1) as stays, running(wall, speed=1) as leaves:
        fakes = (stays, leaves)
        for fake in fakes:
            fake.caller("studio", "key")
        for step, seconds, is_left in moments:
            for fake in fakes:
                do(fake, step)
            wall.step(seconds)
            if is_left:
                leaves.service.accounts.close_unused(0)
                assert leaves.service.accounts.in_memory() == []
            assert differences("", *(seen(fake) for fake in fakes)) == []


def do(fake: Fake, step: Step) -> None:
    with fake.service.accounts.open(STUDIO) as account:
        command = decided(account.state, step)
        if command is not None:
            account.append(command)


def seen(fake: Fake) -> dict[str, Any]:
    """The state at the present time, but for what is counted since it was read."""
    with fake.service.accounts.open(STUDIO) as account:
        return {name: value for name, value in image(account.state).items() if name != "happened"}


class Clock:
    """Seconds that pass when told."""

    def __init__(self, fake: Fake) -> None:
        self.now_s = 1000.0
        fake.service.accounts._slots._seconds = lambda: self.now_s


def test_what_nobody_used_for_long_leaves_memory_and_the_rest_stays(fake: Fake) -> None:
    clock, accounts = Clock(fake), fake.service.accounts
    old, new = (fake.caller(name, "key") for name in ("old", "new"))
    assert old.submit().status == 201
    clock.now_s += IDLE_S - 1
    assert new.submit().status == 201
    accounts.close_unused()
    assert accounts.in_memory() == sorted(map(account_id, ("old", "new")))
    clock.now_s += 1
    accounts.close_unused()
    assert accounts.in_memory() == [account_id("new")]
    assert len(old.jobs()) == 1


def test_where_no_thread_looks_the_next_request_lets_go_of_what_is_idle(fake: Fake) -> None:
    clock = Clock(fake)
    fake.caller("old", "key")
    clock.now_s += IDLE_S
    fake.caller("new", "key")
    assert fake.service.accounts.in_memory() == [account_id("new")]


def test_a_scrape_is_no_use_and_reads_nothing_back(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, accounts = Clock(fake), fake.service.accounts
    fake.caller("old", "key").submit()
    before = events(fake)
    for _ in range(2):
        clock.now_s += IDLE_S / 2
        assert fake.anonymous().get("/metrics").status == 200
    accounts.close_unused()
    assert accounts.in_memory() == []
    monkeypatch.setattr(Snapshots, "load", None)
    assert events(fake) == before, "what happened is counted still"


def events(fake: Fake) -> str:
    text = fake.anonymous().get("/metrics").content.decode()
    return next(line for line in text.splitlines() if line.startswith("conductor_mock_farm_events_total"))


def test_a_snapshot_that_fails_keeps_the_account_in_memory(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caller, accounts = fake.caller("studio", "key"), fake.service.accounts
    caller.submit()

    def fail(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "take", fail)
        accounts.close_unused(0)
    assert accounts.in_memory() == [STUDIO]
    assert "stays in memory: no space" in caplog.text
    accounts.close_unused(0)
    assert accounts.in_memory() == []


def test_a_thread_looks_until_it_is_closed() -> None:
    looked = threading.Semaphore(0)

    class Counted:
        def close_unused(self, *, stop: Callable[[], bool]) -> None:
            looked.release()
            if not stop():
                raise OSError("a disk that fails once is no end")

    before = set(threading.enumerate())
    idling = Idling(Counted(), 0.0)  # type: ignore[arg-type]
    idling.start()
    assert all(looked.acquire(timeout=60) for _ in range(3))
    idling.close()
    assert set(threading.enumerate()) <= before


def test_a_server_that_keeps_its_data_looks_by_itself_and_one_that_does_not_has_no_thread(
    tmp_path: Any,
) -> None:
    with running(data_dir=tmp_path, idle_s=7) as fake:
        assert fake.service.idling is not None
        assert fake.service.idling._every_s * 10 == 7
        assert isinstance(fake.service.idling._accounts, Accounts)
    with running() as fake:
        assert fake.service.idling is None


def test_a_look_that_fails_is_told_and_the_next_comes_in_its_time(caplog: pytest.LogCaptureFixture) -> None:
    given: list[bool] = []

    class Failing:
        def close_unused(self, *, stop: Callable[[], bool]) -> None:
            given.append(stop())
            raise OSError("no space")

    idling, stop = Idling(Failing(), 20.0), threading.Event()  # type: ignore[arg-type]
    assert idling._look(stop) == 2
    stop.set()
    idling._look(stop)
    assert given == [False, True]
    assert "idle accounts stay in memory; nothing is lost: no space" in caplog.text


MOST_OF_AN_IDLE_ACCOUNT = 2048
"""Bytes of Python's objects; what requests leave in caches of a fixed size is not among them."""


def test_what_stays_of_an_account_that_nobody_uses_is_small(fake: Fake) -> None:
    """Whoever remembers something by account gives it back, or remembers little."""
    service = fake.service
    accounts = service.accounts

    def used_and_left(first: int, last: int) -> int:
        for number in range(first, last):
            name = accounts.sign_in(f"user {number}", "key")
            with accounts.open(name) as account:
                account.append(JobCreated(job_payload(), "b" * 64, Machine("m", 1, 0, 0, 0, 100)))
            assert accounts.now_us(name)
            service.contents.stored_bytes.room_for(name, 1)
            assert not service.faults.has_any(name)
        accounts.close_unused(0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        used_and_left(0, 5)  # what the first ones bring belongs to the process
        before = used_and_left(5, 10)
        after = used_and_left(10, 40)
    finally:
        tracemalloc.stop()
    assert (after - before) / 30 < MOST_OF_AN_IDLE_ACCOUNT
