"""Several servers on the same data: any of them has any account, and none shows what another has overtaken."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from conductor_mock.farm.commands import OptionsChanged
from conductor_mock.farm.ids import account_id
from conductor_mock.service import open_service
from conductor_mock.settings import Quotas, Settings
from conductor_mock.store import commits
from conductor_mock.store.database import SCHEMA_VERSION, Database
from conductor_mock.store.database_url import DatabaseError, of_file
from conductor_mock.store.heads import MovedLogError
from conductor_mock.store.locks import FileLocks, Level
from conductor_mock.store.ownership import NotToBeSharedError, SharedOwnership
from conductor_mock.store.read_write_lock import LONGEST_SHARE_S, OutsideReadWriteLock
from conductor_mock.store.tables import META
from conductor_mock.upkeep import check
from support.server import START_US, ApiCaller, Fake, ManualWall, candidate, job_payload, running
from support.workers import any_of, workers

PATIENCE_S = 60
STUDIO = account_id("studio")
MINE = {"account": "studio"}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Fake]]:
    with workers(tmp_path / "data") as fakes:
        yield fakes


def test_what_one_server_is_told_the_other_shows(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    assert [caller.submit().json()["jobid"] for caller in (one, other, one)] == ["00001", "00002", "00003"]
    assert len(one.jobs()) == len(other.jobs()) == 3
    one.upload("/a", b"a content")
    assert other.files() == one.files() != {}
    rule = {"match": {"owner": "kim"}, "outcome": "failed"}
    assert other.post("/_mock/outcomes", rule, query=MINE).status == 200
    one.post("/_mock/clock", {"until": "idle"}, query=MINE)
    assert {job["status"] for job in other.jobs()} == {"failed"}


def test_a_token_and_an_idempotency_key_of_one_server_hold_at_the_other(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    other.token = one.token
    key = {"Idempotency-Key": "a key"}
    answers = [caller.post("/jobs/", job_payload(), headers=key) for caller in (one, other, one)]
    assert {(answer.status, answer.json()["jobid"]) for answer in answers} == {(201, "00001")}


def test_an_account_that_one_server_made_is_known_to_the_other(two: list[Fake]) -> None:
    caller = two[0].caller("new", "its key")
    anonymous = two[1].anonymous()
    anonymous.token = caller.token
    assert anonymous.jobs() == []
    assert two[1].service.accounts.ids() == two[0].service.accounts.ids()
    with pytest.raises(AssertionError):  # 403: its key is another one
        two[1].caller("new", "another key")


def test_an_account_that_one_server_resets_is_new_at_the_other(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    for caller in (one, other, one):  # also a log that has come as far as the one before it
        one.submit(job_title="old")
        assert len(other.jobs()) == 1
        assert caller.post("/_mock/reset", query=MINE).status == 204
        caller.submit(job_title="new")
        assert [job["title"] for job in one.jobs()] == [job["title"] for job in other.jobs()] == ["new"]
        assert caller.post("/_mock/reset", query=MINE).status == 204


def test_a_catalogue_that_came_after_a_reset_is_not_mistaken_for_the_one_before(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    shipped = one.get("/_mock/catalog", query=MINE).json()
    for name in ("first", "second"):
        document = {**shipped, "projects": [{"id": name, "name": name, "status": "active"}]}
        assert one.request("PUT", "/_mock/catalog", body=document, query=MINE).status == 200
        assert [project["name"] for project in other.get("/api/v1/projects").json()["data"]] == [name]
        two[0].wall.step(1)
        assert one.post("/_mock/reset", query=MINE).status == 204


def test_no_server_dates_anything_before_what_another_one_has_shown(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    other.jobs()
    one.post("/_mock/clock", {"advance": 3600}, query=MINE)
    assert two[1].service.accounts.now_us(STUDIO) == START_US + 3600 * 1_000_000
    other.upload("/a", b"a content")
    assert max(two[0].service.contents.stored(STUDIO))[0] == START_US + 3600 * 1_000_000


def test_a_wall_clock_that_goes_back_leaves_no_server_without_its_account(tmp_path: Path) -> None:
    with workers(tmp_path / "data", speed=1) as two:
        one, other = (fake.caller() for fake in two)
        for caller, seconds in ((one, 60), (other, -30), (one, 10), (other, 60)):
            two[0].wall.step(seconds)
            assert caller.submit().status == 201
            assert len(one.jobs()) == len(other.jobs())


def test_time_that_a_server_has_shown_no_other_one_undershoots_although_the_clock_is_set_back(
    tmp_path: Path,
) -> None:
    with workers(tmp_path / "data", speed=1) as two:
        shown = []
        for number, seconds in enumerate((1, 60, -30, 10, -300, 600)):
            two[0].wall.step(seconds)
            for fake in (
                two[number % 2],
                two[1 - number % 2],
            ):  # a look writes nothing that the other one could read
                shown.append(fake.caller().get("/_mock/clock", query=MINE).json()["now_us"])
        assert shown == sorted(shown)
        assert shown[-1] > shown[0]
    two[0].wall.step(-100)
    with workers(tmp_path / "data", two[0].wall, speed=1) as two:  # it is the run's: others begin anew
        assert two[1].service.wall() == two[1].wall()


def test_options_of_the_servers_are_taken_up_once_and_not_by_each(tmp_path: Path) -> None:
    with workers(tmp_path / "data", fleet=5) as two:
        one, other = (fake.caller() for fake in two)
        one.jobs()
        assert one.post("/_mock/options", {"fleet": 2}, query=MINE).status == 200
        for fake in two:
            fake.crash()
        assert [caller.get("/_mock/options", query=MINE).json()["fleet"] for caller in (other, one)] == [2, 2]
    with workers(tmp_path / "data", fleet=5) as two:  # started again, as a server that is alone
        callers = [fake.caller() for fake in two]
        assert [caller.get("/_mock/options", query=MINE).json()["fleet"] for caller in callers] == [5, 5]
        kinds = [type(record.command) for record in two[0].service.log.read(STUDIO)]
        assert kinds.count(OptionsChanged) == 2


def test_quotas_are_those_of_all_servers_together(tmp_path: Path) -> None:
    quotas = Quotas(accounts=2, account_bytes=10)
    with workers(tmp_path / "data", quotas=quotas) as two:
        one, other = (fake.caller() for fake in two)
        other.upload("/a", b"1234")
        one.upload("/b", b"12345")
        two[1].service.contents.stored_bytes._seconds = lambda: float("inf")  # a while later
        body = {"upload_files": [candidate("/c", b"123")]}
        assert other.post("/api/v2/files/get_upload_urls", body).status == 507
        two[0].caller("second", "its key")
        refused = two[1].anonymous()
        refused.client_id = "third"
        assert refused.sign_in().status == 507


def test_whoever_waits_for_a_change_sees_one_of_another_server(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    other.jobs()
    changes = two[1].service.accounts.changes
    before = changes.count(STUDIO)
    assert not changes.wait(STUDIO, before, 0)
    one.submit()
    assert changes.wait(STUDIO, before, PATIENCE_S)
    assert changes.count(STUDIO) != before


def test_a_server_that_has_lost_the_lock_of_an_account_cannot_write_to_it(
    two: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (fake.caller() for fake in two)
    one.jobs()

    @contextmanager
    def lost(*_: object) -> Iterator[None]:
        yield

    accounts = two[0].service.accounts
    with monkeypatch.context() as patched:
        patched.setattr(FileLocks, "hold", lost)
        for meanwhile in ("/jobs/", "/_mock/reset"):
            with accounts.open(STUDIO) as account:
                assert other.post(meanwhile, job_payload(), query=MINE).status in (201, 204)
                with pytest.raises(MovedLogError, match="the lock of account"):
                    account.append(OptionsChanged(account.state.options))
    assert other.jobs() == one.jobs() == []


def test_requests_to_both_servers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    with workers(tmp_path / "data") as two, ThreadPoolExecutor(6) as pool:

        def submit(number: int) -> str:
            return str(any_of(two, seed=number).submit(job_title=str(number)).json()["jobid"])

        jobs = list(pool.map(submit, range(30)))
        assert sorted(jobs) == [f"{number:05d}" for number in range(1, 31)]
        caller = any_of(two)
        assert sorted(int(job["title"]) for job in caller.jobs()) == list(range(30))
        list(pool.map(lambda number: any_of(two).upload(f"/{number}", str(number).encode()), range(30)))
        assert len(caller.files()) == 30
    assert check(Settings(data_dir=tmp_path / "data"), repair=False).damages == []


def test_a_lone_server_and_those_that_share_exclude_each_other(tmp_path: Path) -> None:
    with workers(tmp_path / "data", count=1), pytest.raises(DatabaseError, match="in use by another"):
        open_service(Settings(data_dir=tmp_path / "data"))
    with running(data_dir=tmp_path / "data"), pytest.raises(NotToBeSharedError):
        SharedOwnership(tmp_path / "data/lock", pause=lambda _: None)
    with workers(tmp_path / "data"):
        pass


def test_the_first_of_several_prepares_alone_and_the_others_wait_for_it(tmp_path: Path) -> None:
    first = SharedOwnership(tmp_path / "lock")
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            first.share()

    second = SharedOwnership(tmp_path / "lock", pause=pause)
    assert (first.is_first, second.is_first, len(waited)) == (True, False, 3)
    assert not second.is_last()
    first.release()
    assert second.is_last()
    second.release()


def test_only_a_stop_in_which_all_go_cleanly_is_a_clean_one(tmp_path: Path) -> None:
    clean = tmp_path / "data/clean"
    with ExitStack() as stack:
        fakes = [stack.enter_context(workers(tmp_path / "data", count=1)) for _ in range(2)]
        assert not clean.exists()
        assert len(fakes) == 2
    assert clean.exists()
    with workers(tmp_path / "data", count=1):
        (tmp_path / "data/running/one that was killed").touch()
    assert not clean.exists()


def test_a_server_that_joins_leaves_what_another_one_receives(two: list[Fake], tmp_path: Path) -> None:
    half = tmp_path / "data/incoming/.half"
    half.write_bytes(b"half")
    with workers(tmp_path / "data", count=1):
        assert half.exists()


def test_transactions_are_counted_whoever_makes_them(two: list[Fake], tmp_path: Path) -> None:
    file = tmp_path / "data/conductor.db"
    any_of(two).upload("/a", b"a")
    for fake in (*two, *two):
        fake.caller().submit()
    with two[0].service.log._database.read() as connection:
        assert commits.noted(commits.file_of(file)) == commits.counted(connection) > 5


def test_a_database_in_memory_cannot_be_shared() -> None:
    with pytest.raises(DatabaseError, match="in memory"):
        Database("sqlite://", shared=True)


def test_the_locks_of_a_process_that_is_killed_are_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from conductor_mock.store.locks import FileLocks, Level\n"
        "with FileLocks(Path(sys.argv[1])).hold(Level.ACCOUNT, 'a'): print('held', flush=True); time.sleep(600)"
    )
    locks = FileLocks(tmp_path / "locks")
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "locks")], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with locks.try_hold(Level.ACCOUNT, "a") as held, locks.try_hold(Level.ACCOUNT, "b") as another:
            assert (held, another) == (False, True)
        other.kill()
        other.wait(PATIENCE_S)
        with locks.try_hold(Level.ACCOUNT, "a") as held:
            assert held


def test_locks_keep_threads_out_as_processes_and_levels_apart(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    with locks.hold(Level.ACCOUNT, "a"), locks.try_hold(Level.ACCOUNT, "a") as same:
        assert not same
        with locks.try_hold(Level.UPLOAD, "a") as other_level:
            assert other_level
    with locks.share(Level.CONTENTS), locks.share(Level.CONTENTS), locks.try_hold(Level.CONTENTS) as alone:
        assert not alone


def test_whoever_deletes_comes_in_although_others_go_on_to_share(tmp_path: Path) -> None:
    now = [0.0]
    locks = FileLocks(tmp_path / "locks")
    busy, other = OutsideReadWriteLock(locks, seconds=lambda: now[0]), OutsideReadWriteLock(locks)
    came, deleted = threading.Event(), threading.Event()

    def delete() -> None:
        with other.alone():
            deleted.set()

    def share() -> None:
        with busy.shared():
            came.set()

    first = busy.shared()
    first.__enter__()
    deleter = threading.Thread(target=delete)
    deleter.start()
    with busy.shared():  # of those that came together
        assert not deleted.is_set()
    now[0] = LONGEST_SHARE_S  # long enough: whoever comes now waits until the lock was given back
    sharer = threading.Thread(target=share)
    sharer.start()
    assert not came.is_set()
    first.__exit__(None, None, None)
    deleter.join(PATIENCE_S)
    sharer.join(PATIENCE_S)
    assert deleted.is_set()
    assert came.is_set()


def test_a_snapshot_that_another_server_took_counts(two: list[Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conductor_mock.store.snapshots.SNAPSHOT_EVERY", 3)
    taken: list[int] = []
    save = type(two[0].service.log).save_snapshot

    def noted(log: object, state: object) -> object:
        taken.append(1)
        return save(log, state)  # type: ignore[arg-type]

    monkeypatch.setattr("conductor_mock.store.log.Log.save_snapshot", noted)
    one, other = (fake.caller() for fake in two)
    for caller in (one, other, one, other, one, other):
        caller.submit()
    assert len(taken) == 2
    for fake in two:
        fake.crash()
    assert len(one.jobs()) == len(other.jobs()) == 6


def test_the_database_of_a_server_that_is_alone_has_no_locks_outside(tmp_path: Path) -> None:
    with Database(of_file(tmp_path / "lone.db")) as database:
        assert database.locks is None
        assert not (tmp_path / "lone.db.locks").exists()
        with database.read() as connection:
            assert (
                connection.execute(sa.text("SELECT count(*) FROM meta WHERE name = 'run'")).scalar_one() == 0
            )


def test_time_that_one_server_waits_for_another_is_the_same_for_both(tmp_path: Path) -> None:
    wall = ManualWall()
    with workers(tmp_path / "data", wall, speed=60) as two:
        one, other = (fake.caller() for fake in two)
        one.submit(metadata={"mock_duration": "30"})
        for _ in range(4):
            wall.step(1)
            shown = [caller.jobs() for caller in (other, one, other)]
            assert shown[0] == shown[1] == shown[2]
        assert shown[0][0]["status"] == "success"


def test_a_page_at_one_server_is_told_of_what_another_one_did(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    one.submit()

    def mark(caller: ApiCaller, of: str) -> str:
        query = {"account": caller.client_id, **({"of": of} if of else {})}
        return caller.get("/events", query=query).content.decode().split("here ")[1].strip()

    marks = [mark(other, of) for of in ("", "requests")]
    one.submit()
    assert all(
        new != old for new, old in zip([mark(other, of) for of in ("", "requests")], marks, strict=True)
    )


def test_every_answered_request_is_in_the_journal_of_every_server(two: list[Fake]) -> None:
    one, other = (fake.caller() for fake in two)
    for number in range(1, 20):
        (one if number % 3 else other).get("/api/v1/jobs")
        for caller in (one, other):
            query = {"account": caller.client_id, "operation": "jobs.list"}
            assert len(caller.get("/_mock/requests", query=query).json()["requests"]) == number


def test_a_server_does_not_make_another_version_of_a_database_that_others_use(tmp_path: Path) -> None:
    url = of_file(tmp_path / "conductor.db")

    def version() -> str:
        with sqlite3.connect(tmp_path / "conductor.db") as connection:
            return str(connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0])

    with Database(url, shared=True) as old:
        with old.write() as connection:
            connection.execute(META.update().where(META.c.name == "schema").values(value="1"))
        said = r"servers of an older conductor-mock run on .*conductor\.db \(schema 1, .*end all of them"
        with pytest.raises(DatabaseError, match=said):
            Database(url, shared=True)
        assert version() == "1"
    with Database(url, shared=True), Database(url, shared=True):
        assert version() == str(SCHEMA_VERSION)


def test_a_server_that_was_started_with_other_options_than_the_others_says_which(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    with workers(data, fleet=5), workers(data, count=1, fleet=5):
        assert "other options" not in caplog.text, "the same are no reason for a word"
        with workers(data, count=1, fleet=7, release_scouts=True):
            said = "other options: --fleet is 7 here, and 5 there; --release-scouts is True here, and not given there."
            assert caplog.text.count(said) == 1
    caplog.clear()
    with workers(data, count=1, fleet=9):
        assert "other options" not in caplog.text, "servers of before do not run any more"
