"""How often a request takes the lock of its account: others of the account wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.ids import account_id
from conductor_mock.store.database import Database
from conductor_mock.store.log import Log
from conductor_mock.store.slots import Slot, Slots
from conductor_mock.store.tables import LOG
from support.server import ApiCaller, Fake, ManualWall, candidate, job_file, job_payload, running

PATIENCE_S = 60
STUDIO = account_id("studio")


def submit_with_everything(caller: ApiCaller) -> int:
    payload = job_payload(
        upload_files=[job_file("/proj/a.ma", b"scene"), job_file("/proj/b.ma", b"never sent")],
        software_package_ids=["none that is known"],
        scout_frames="8",
    )
    return caller.post("/jobs/", payload, headers={"Idempotency-Key": "a key"}).status


def ask_for_urls(caller: ApiCaller) -> int:
    body = {"upload_files": [candidate("/proj/c.ma", b"c")], "project": "none that is known"}
    return caller.post("/api/v2/files/get_upload_urls", body).status


def list_packages(caller: ApiCaller) -> int:
    return caller.get("/api/v1/ee/packages").status


@pytest.mark.parametrize(
    ("request_", "status"), [(submit_with_everything, 201), (ask_for_urls, 200), (list_packages, 200)]
)
def test_a_request_takes_the_lock_of_its_account_once(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, request_: Callable[[ApiCaller], int], status: int
) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    taken: list[str] = []
    hold = Slots.hold

    @contextmanager
    def counted(self: Slots, account: str, **how: bool) -> Iterator[Slot]:
        taken.append(account)
        with hold(self, account, **how) as slot:
            yield slot

    monkeypatch.setattr(Slots, "hold", counted)
    assert request_(caller) == status

    assert taken == [STUDIO]


def test_an_upload_does_not_wait_for_the_lock_of_its_account(fake: Fake) -> None:
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", b"scene")
    with ThreadPoolExecutor(1) as pool, fake.service.accounts.open(STUDIO):
        sent = pool.submit(fake.anonymous().put, url, b"scene")
        assert sent.result(PATIENCE_S).status == 200


def test_an_upload_is_dated_as_the_account_shows_its_time(fake: Fake) -> None:
    """Whether the account was opened before in this process or not, and however its clock was moved."""
    caller = fake.caller()
    query = {"account": caller.client_id}
    for advance, drop in ((0, False), (3600, False), (60, True)):
        caller.post("/_mock/clock", {"advance": advance}, query=query)
        if drop:
            fake.service.accounts.drop_states()
        caller.upload(f"/proj/{advance}", b"%d" % advance)
        now_us = caller.get("/_mock/clock", query=query).json()["now_us"]
        assert max(t_us for t_us, _ in fake.service.contents.stored(STUDIO)) == now_us


def test_the_time_without_the_lock_goes_with_the_clock_and_never_back() -> None:
    wall = ManualWall()
    with running(wall, speed=2) as fake:
        fake.caller()
        accounts = fake.service.accounts
        first = accounts.now_us(STUDIO)
        wall.step(10)
        second = accounts.now_us(STUDIO)
        with accounts.open(STUDIO) as account:
            assert account.state.now_us == second == first + 20 * SECOND
        wall.step(-5)
        assert accounts.now_us(STUDIO) == second


def test_the_time_of_a_clock_that_was_not_committed_is_not_shown(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fake.caller()
    before = fake.service.accounts.now_us(STUDIO)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", refuse)
        answer = caller.post("/_mock/clock", {"advance": 3600}, query={"account": "studio"})
        assert answer.status == 507

    assert fake.service.accounts.now_us(STUDIO) == before


def test_files_are_declared_with_their_job_or_not_at_all(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    payload = job_payload(upload_files=[job_file("/proj/also.ma", b"scene")])
    write, commands = Database.write, sa.select(sa.func.count()).select_from(LOG)

    @contextmanager
    def write_and_fail(self: Database) -> Iterator[sa.Connection]:
        with write(self) as connection:
            before = connection.scalar(commands)
            yield connection
            if connection.scalar(commands) != before:
                raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", write_and_fail)
        assert caller.post("/jobs/", payload).status == 507
    assert list(caller.files()) == ["/proj/a.ma"]

    assert caller.post("/jobs/", payload).status == 201
    assert list(caller.files()) == ["/proj/a.ma", "/proj/also.ma"]
