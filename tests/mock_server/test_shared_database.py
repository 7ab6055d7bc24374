"""Several servers on one PostgreSQL database: its advisory locks and its clock instead of the kernel's."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.farm.ids import account_id
from conductor_mock.service import open_service
from conductor_mock.settings import Settings
from conductor_mock.store import parts as parts_in_folders
from conductor_mock.store.advisory_locks import CONNECTIONS, AdvisoryLocks
from conductor_mock.store.bucket import Location
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.bucket_parts import BucketParts, rows_of_no_use
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.keys import Keys
from conductor_mock.store.lately import EVERY_S
from conductor_mock.store.locks import Level, number_of
from conductor_mock.store.parts import COMPLETIONS, Multipart, Parts
from conductor_mock.store.read_write_lock import OutsideReadWriteLock
from conductor_mock.store.shared_keys import agree, agree_again
from conductor_mock.store.shared_wall import DatabaseWall, seconds_of
from conductor_mock.store.trouble import UnavailableError, reason
from conductor_mock.wire.md5 import to_base64
from support.memory_bucket import Kept, MemoryBucket
from support.statements import of_this_thread
from support.workers import any_of, workers

PATIENCE_S = 60
OURS = Keys.fresh()


def test_what_one_server_is_told_the_other_shows(tmp_path: Path, postgres: str) -> None:
    with workers(tmp_path, database_url=postgres) as two:
        one, other = (fake.caller() for fake in two)
        assert [caller.submit().json()["jobid"] for caller in (one, other, one)] == [
            "00001",
            "00002",
            "00003",
        ]
        one.submit(metadata={"notes": "x" * 70_000})
        assert len(other.jobs()) == 4
        other.upload("/a", b"a content")
        assert one.files() == other.files() != {}
        one.post("/_mock/reset", query={"account": "studio"})
        assert other.jobs() == []
        assert other.files() == {}


def test_requests_to_both_servers_at_once_lose_and_double_nothing(tmp_path: Path, postgres: str) -> None:
    with workers(tmp_path, database_url=postgres) as two, ThreadPoolExecutor(12) as pool:

        def work(number: int) -> str:
            caller = any_of(two, f"studio {number % 3}", seed=number)
            caller.upload(f"/{number}", str(number).encode())
            return str(caller.submit(job_title=str(number)).json()["jobid"])

        jobs = list(pool.map(work, range(36)))
        assert sorted(jobs) == sorted(f"{number:05d}" for number in range(1, 13) for _ in range(3))
        assert all(len(any_of(two, f"studio {number}").files()) == 12 for number in range(3))


def test_locks_of_a_connection_that_is_cut_are_free_and_what_they_kept_is_not_written(
    tmp_path: Path, postgres: str
) -> None:
    with workers(tmp_path, database_url=postgres) as two, ExitStack() as cut:
        one, other = (fake.caller() for fake in two)
        locks = service_of(two[0].app).accounts._locks
        assert locks is not None
        hold = locks.hold(Level.ACCOUNT, "another account")
        hold.__enter__()
        engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        cut.callback(engine.dispose)
        number = number_of(Level.ACCOUNT, "another account")
        with engine.connect() as connection:
            query = sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND (classid::bigint << 32) + objid::bigint = :number"
            )
            assert connection.execute(query, {"number": number}).scalars().all() == [True]
        with two[1].service.accounts._locks.hold(Level.ACCOUNT, "another account"):  # type: ignore[union-attr]
            pass
        hold.__exit__(None, None, None)
        assert (one.submit().status, other.submit().status) == (201, 201)


def test_a_lone_server_and_those_that_share_exclude_each_other(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor_mock.store.database.PREPARING_S", 0)
    with workers(tmp_path, count=1, database_url=postgres):
        with pytest.raises(DatabaseError, match="in use by another conductor-mock server"):
            Database(postgres)
        with Database(postgres, shared=True) as second:
            assert not second.is_first
            assert second.run
    with Database(postgres), pytest.raises(DatabaseError, match="which shares it with nobody"):
        Database(postgres, shared=True)


@pytest.mark.parametrize("shared", [True, False])
def test_a_database_that_was_restarted_is_still_kept_from_a_lone_server(postgres: str, shared: bool) -> None:
    with Database(postgres, shared=shared) as database:
        restarted(postgres)
        database.ask()
        with pytest.raises(DatabaseError, match="is in use by another conductor-mock server"):
            Database(postgres)
        if shared:
            Database(postgres, shared=True).close()


@pytest.mark.parametrize("shared", [True, False])
def test_a_database_that_another_server_took_when_it_was_restarted_refuses_the_first_one_until_it_is_free(
    postgres: str, shared: bool
) -> None:
    with Database(postgres, shared=shared) as database:
        restarted(postgres)
        with Database(postgres):
            for _ in range(2):
                with pytest.raises(OSError, match="another server has its database alone") as error:
                    database.ask()
                assert reason(error.value) == str(error.value)
        database.ask()


def test_a_server_whose_database_was_restarted_is_of_the_run_that_others_have_begun_meanwhile(
    postgres: str,
) -> None:
    with Database(postgres, shared=True) as first, Database(postgres, shared=True) as second:
        before = first.run
        restarted(postgres)
        first.ask()
        assert first.run == second.run == before, "nobody has begun another one"
        first.on_rejoin = second.on_rejoin = partial(agree_again, first, OURS)
        restarted(postgres)
        with Database(postgres, shared=True) as third:
            with third.write() as connection:
                agree(third, connection, third.run, OURS)
            for database in (first, second):
                database.ask()
            assert first.run == second.run == third.run != before


def test_a_server_whose_database_was_restarted_does_not_go_on_beside_others_with_other_keys(
    postgres: str,
) -> None:
    with Database(postgres, shared=True) as first:
        first.on_rejoin = partial(agree_again, first, OURS)
        restarted(postgres)
        with Database(postgres, shared=True) as second:
            with second.write() as connection:
                agree(second, connection, second.run, Keys.fresh())
            for _ in range(2):
                with pytest.raises(OSError, match="servers with other keys have it since") as error:
                    first.ask()
                assert reason(error.value) == str(error.value)
        with Database(postgres):
            pass  # what it could not have it does not keep from others


def test_a_server_whose_database_takes_no_writes_is_not_ready_and_says_why(
    tmp_path: Path, postgres: str
) -> None:
    with workers(tmp_path, count=1, database_url=postgres) as (fake,), ExitStack() as stack:
        caller, database = fake.caller(), fake.service.log._database
        engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        stack.callback(engine.dispose)

        def read_only(value: str) -> None:
            with engine.connect() as connection:
                connection.execute(sa.text("SET default_transaction_read_only = off"))
                name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
                connection.execute(
                    sa.text(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
                )
            database.engine.dispose()

        stack.callback(read_only, "off")
        read_only("on")
        ready = caller.get("/_mock/health/ready")
        assert (ready.status, ready.message) == (503, "the server is not ready: the database takes no writes")
        refused = caller.submit()
        assert (refused.status, "read-only transaction" in refused.message) == (503, True)
        assert caller.jobs() == []
        read_only("off")
        assert caller.get("/_mock/health/ready").status == 200
        assert [caller.submit().status, len(caller.jobs())] == [201, 1]


def test_a_page_of_faults_asks_nothing_in_the_thread_of_all_connections(
    tmp_path: Path, postgres: str
) -> None:
    with workers(tmp_path, database_url=postgres) as (one, other):
        account, faults, lately = account_id("studio"), other.service.faults, other.service.lately
        assert lately is not None
        lately.close()  # its thread asks whenever it likes
        now_s = time.monotonic()
        lately.now_s = lambda: now_s
        one.caller(), other.caller()
        faults.meet(account)
        none = faults.changes(account)
        one.service.faults.add(account, {"fault": {"kind": "status"}})
        asked = of_this_thread(other.service.log._database.engine)
        assert (faults.changes(account), asked) == (none, [])
        now_s += EVERY_S
        lately.look()
        assert (faults.changes(account) != none, len(asked)) == (True, 1)
        one.service.faults.meet(account)
        assert faults.changes(account) == one.service.faults.changes(account)


def restarted(postgres: str) -> None:
    """Cut every connection to the database but the oldest, the fixture's, as a restart of it does."""
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_start >"
                " (SELECT min(backend_start) FROM pg_stat_activity WHERE datname = current_database())"
            )
        )
    engine.dispose()


def test_servers_whose_contents_lie_elsewhere_are_refused(tmp_path: Path, postgres: str) -> None:
    with (
        workers(tmp_path / "one", count=1, database_url=postgres),
        pytest.raises(DatabaseError, match="lie in another data directory than"),
    ):
        open_service(Settings(data_dir=tmp_path / "two", database_url=postgres, shared=True))


def test_time_is_that_of_the_database(tmp_path: Path, postgres: str) -> None:
    app = create_app(Settings(data_dir=tmp_path, database_url=postgres, shared=True))
    service = service_of(app)
    try:
        assert isinstance(service.wall, DatabaseWall)
        before = service.wall()
        service.wall.renew()
        assert service.wall() >= before
    finally:
        service.close()


@pytest.mark.parametrize("days", [-400, 400])
def test_a_part_is_as_old_as_the_database_says_whatever_the_clocks_of_servers_are(
    days: int, tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(postgres, shared=True) as one, Database(postgres, shared=True) as other:
        bucket = MemoryBucket(Location("contents", ""), Kept())
        objects = [BucketObjects(tmp_path / str(number), bucket, most_fetched=0) for number in range(2)]
        first = BucketParts(one, objects[0].root, objects[0])
        upload = first.begin("account", md5=to_base64(bytes(16)), size=1, part_size=1)
        real_s = time.time()
        monkeypatch.setattr(time, "time", lambda: real_s + days * 24 * 3600)
        second = BucketParts(other, objects[1].root, objects[1])
        for here, there in ((first, second), (second, first)):
            with here.receive("account", upload, 1, io.BytesIO(b"a")) as part, here.turn(upload):
                here.keep(part)
            assert there.of_no_use() == set()
            assert not there.is_given_up("account", upload.upload_id)
            assert rows_of_no_use(other, seconds_of(other)) == {}


def test_a_clock_of_this_machine_that_runs_ahead_is_corrected_and_never_goes_back(postgres: str) -> None:
    passed = [0.0]
    with Database(postgres, shared=True) as database:
        wall = DatabaseWall(database, seconds=lambda: passed[0])
        passed[0] = 1000.0
        ahead = wall()
        wall.renew()
        assert wall() == ahead
        passed[0] = 3000.0
        assert wall() > ahead


def test_whoever_deletes_waits_for_those_that_place_at_another_server(postgres: str) -> None:
    locks, others = AdvisoryLocks(sa.make_url(postgres)), AdvisoryLocks(sa.make_url(postgres))
    placing, deleting = OutsideReadWriteLock(locks), OutsideReadWriteLock(others)
    deleted = threading.Event()

    def delete() -> None:
        with deleting.alone():
            deleted.set()

    with placing.shared(), others.try_hold(Level.CONTENTS) as held:
        assert not held
        deleter = threading.Thread(target=delete)
        deleter.start()
        assert not deleted.is_set()
    deleter.join(PATIENCE_S)
    assert deleted.is_set()
    locks.close()
    others.close()


def test_parts_have_their_turn_while_as_many_uploads_are_made_whole_as_may_be(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CONNECTIONS[Level.UPLOAD] > COMPLETIONS
    locks, others = AdvisoryLocks(sa.make_url(postgres), patience_s=1), AdvisoryLocks(sa.make_url(postgres))
    database: Any = SimpleNamespace(locks=locks)
    parts = Parts(database, tmp_path)
    uploads = [Multipart(f"upload {number}", "", 1, 1) for number in range(COMPLETIONS + 2)]
    *whole, late, other = uploads
    with ExitStack() as completions:
        for upload in whole:
            completions.enter_context(parts.turn_to_complete(upload))
        with parts.turn(other), others.try_hold(Level.UPLOAD, other.upload_id) as free:
            assert not free
        monkeypatch.setattr(parts_in_folders, "COMPLETION_PATIENCE_S", 0.01)
        with pytest.raises(UnavailableError, match="try again"), parts.turn_to_complete(late):
            pytest.fail("there are as many as may be")
    with parts.turn_to_complete(late):
        pass
    locks.close()
    others.close()
