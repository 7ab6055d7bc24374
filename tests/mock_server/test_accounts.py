"""Accounts: what was acknowledged is there after a restart, memory is what the log says, time is never shown twice."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from conductor_mock.farm import fold
from conductor_mock.farm.commands import ClockSet, JobCreated, OptionsChanged
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import State
from conductor_mock.service import open_service
from conductor_mock.settings import Settings
from conductor_mock.store import account as account_module
from conductor_mock.store import snapshots
from conductor_mock.store.accounts import CLOSING_S
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.log import Log
from support.contents import contents_in
from support.server import SECOND, START_US, ApiCaller, Fake, ManualWall, job_payload, running
from support.states import image

STUDIO = account_id("studio")


def log_of(fake: Fake) -> list[Record]:
    """The log of the account `studio`."""
    return list(fake.service.log.read(STUDIO))


def state_of(fake: Fake, account: str = STUDIO) -> State:
    with fake.service.accounts.open(account) as opened:
        return deepcopy(opened.state)


def replayed(fake: Fake) -> dict[str, Any]:
    """The image of the state that the log alone gives, at the present time."""
    state = fold.replay(log_of(fake))
    assert state is not None
    fold.advance(state, state.clock.at(fake.wall()))
    return image(state)


def operational_error(text: str) -> sa.exc.OperationalError:
    return sa.exc.OperationalError("INSERT", {}, sqlite3.OperationalError(text))


def refuse(error: Exception) -> Callable[..., NoReturn]:
    def raise_it(*_: object, **__: object) -> NoReturn:
        raise error

    return raise_it


def test_everything_is_there_after_a_clean_restart(tmp_path: Path) -> None:
    wall = ManualWall()
    with running(wall, data_dir=tmp_path) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", b"scene")
        assert [caller.submit(job_title=f"{number}").json()["jobid"] for number in (1, 2)] == [
            "00001",
            "00002",
        ]
        before, jobs = image(state_of(fake)), caller.jobs()
    with running(wall, data_dir=tmp_path) as fake:
        caller = fake.caller()

        assert image(state_of(fake)) == before
        assert caller.jobs() == jobs
        assert list(caller.files()) == ["/proj/a.ma"]
        assert caller.submit().json()["jobid"] == "00003"


def test_a_token_outlives_a_restart(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        caller.submit()
    with running(data_dir=tmp_path) as fake:
        again = fake.anonymous()
        again.token = caller.token
        assert len(again.jobs()) == 1


def test_a_restart_replays_only_what_came_after_the_snapshot(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        caller.submit()
        before = image(state_of(fake))
    connection = sqlite3.connect(tmp_path / "conductor.db")
    with connection:  # what the snapshot speaks of need not be read again
        connection.execute("UPDATE log SET kind = 'unreadable', sum = NULL WHERE seq <= 2")
    connection.close()
    with running(data_dir=tmp_path) as fake:
        assert image(state_of(fake)) == before
        assert fake.caller().submit().json()["jobid"] == "00002"


def test_a_server_that_ended_without_a_snapshot_replays_its_log(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller().submit()
        before = image(state_of(fake))
        fake.crash()
    with running(data_dir=tmp_path) as fake:
        assert fake.service.log.load_snapshot(STUDIO) is None
        assert image(state_of(fake)) == before


def test_a_snapshot_is_taken_after_a_number_of_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_EVERY", 3)
    with running(data_dir=tmp_path) as fake:
        caller, log = fake.caller(), fake.service.log
        seqs = []
        for _ in range(7):
            caller.submit()
            snapshot = log.load_snapshot(STUDIO)
            seqs.append(snapshot.seq if snapshot else None)

    assert seqs == [None, 3, 3, 3, 6, 6, 6]


@pytest.mark.parametrize("room", [0, 1, 3, 9])
def test_a_stop_takes_snapshots_of_the_longest_replays_while_there_is_time_and_loses_nothing(
    tmp_path: Path, room: int
) -> None:
    """Time passes only when it is looked at, so that there is room for so many."""
    jobs = {"a": 1, "b": 5, "c": 2, "d": 4, "e": 3}
    looks = iter([0.0] * (1 + room) + [2 * CLOSING_S] * 99)
    with running(data_dir=tmp_path) as fake:
        for name, count in jobs.items():
            for _ in range(count):
                fake.caller(name).submit()
        before = {name: image(state_of(fake, account_id(name))) for name in jobs}
        fake.service.accounts.close(now=lambda: next(looks))
        log = fake.service.log
        kept = {name for name in jobs if log.load_snapshot(account_id(name)) is not None}
        fake.crash()

    assert kept == set(sorted(jobs, key=jobs.__getitem__, reverse=True)[:room])
    with running(data_dir=tmp_path) as fake:
        assert {name: image(state_of(fake, account_id(name))) for name in jobs} == before


def test_a_stop_writes_nothing_for_an_account_that_is_as_it_was(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller().submit()
    with running(data_dir=tmp_path) as fake:
        fake.caller().jobs()
        stored = contents_in(tmp_path)
    assert contents_in(tmp_path) == stored


def test_snapshots_that_were_replaced_are_deleted(tmp_path: Path) -> None:
    wall = ManualWall()
    for _ in range(3):
        with running(wall, data_dir=tmp_path, speed=1) as fake:
            fake.caller().submit()
            wall.step(5)

    assert len(contents_in(tmp_path)) == 1


def test_a_snapshot_that_fails_does_not_fail_the_job_that_is_already_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_EVERY", 1)
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        with monkeypatch.context() as patch:
            patch.setattr(Log, "save_snapshot", refuse(OSError("no space")))
            assert caller.submit().status == 201

        assert "no snapshot" in caplog.text
        assert len(caller.jobs()) == 1


def test_options_that_changed_are_logged_when_an_account_is_opened(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, seed=1, fleet=5) as fake:
        fake.caller().submit()
    with running(data_dir=tmp_path, seed=2, speed=60) as fake:
        fake.caller()
        *_, options, clock = [record.command for record in log_of(fake)]
        state = state_of(fake)

    assert isinstance(options, OptionsChanged)
    assert (options.options.seed, options.options.fleet) == (2, 5)
    assert isinstance(clock, ClockSet)
    assert state.clock.speed_millionths == 60 * SECOND
    with running(data_dir=tmp_path, seed=2, speed=60) as fake:
        fake.caller()
        assert len(log_of(fake)) == 4  # the same options again are no change


def test_options_that_are_not_given_stay_as_they_were(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, seed=7, speed=60) as fake:
        fake.caller()
    with running(data_dir=tmp_path, speed=None) as fake:
        fake.caller()
        state = state_of(fake)

        assert (state.options.seed, state.clock.speed_millionths) == (7, 60 * SECOND)
        assert len(log_of(fake)) == 1


def test_scouts_are_for_somebody_to_approve_in_a_new_account(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        assert ends_of_scouts(fake.caller()) == ["success", "holding"]
    with running(data_dir=tmp_path, release_scouts=True) as fake:
        assert ends_of_scouts(fake.caller()) == ["success", "success"]
    with running(data_dir=tmp_path) as fake:
        assert ends_of_scouts(fake.caller()) == ["success", "success"]  # it was not asked for anything else


def test_an_account_of_which_the_log_says_that_scouts_release_themselves_stays_so(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, release_scouts=True) as fake:  # as every account was opened before
        fake.caller()
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        assert ends_of_scouts(caller) == ["success", "success"]
        assert len([record for record in log_of(fake) if isinstance(record.command, OptionsChanged)]) == 0
    with running(data_dir=tmp_path, release_scouts=False) as fake:
        assert ends_of_scouts(fake.caller()) == ["success", "holding"]


def ends_of_scouts(caller: ApiCaller) -> list[str]:
    """What becomes of a job of two tasks, of which the first is a scout, while nobody does anything."""
    tasks = [{"command": "r", "frames": frame} for frame in ("1", "2")]
    jid = caller.submit(scout_frames="1", tasks_data=tasks).json()["jobid"]
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    job = caller.get(f"/_mock/jobs/{jid}", query={"account": caller.client_id}).json()
    return [task["status"] for task in job["tasks"]]


def test_simulated_time_runs_on_while_no_server_runs(tmp_path: Path) -> None:
    wall = ManualWall()
    with running(wall, data_dir=tmp_path, speed=2) as fake:
        fake.caller()
    wall.step(100)
    with running(wall, data_dir=tmp_path, speed=2) as fake:
        assert state_of(fake).now_us == START_US + 200 * SECOND


def test_a_frozen_account_stands_still_while_no_server_runs(tmp_path: Path) -> None:
    wall = ManualWall()
    for _ in range(2):
        with running(wall, data_dir=tmp_path, speed=0) as fake:
            fake.caller()
            assert state_of(fake).now_us == START_US
        wall.step(100)


def test_a_wall_clock_that_steps_back_never_shows_an_earlier_time(tmp_path: Path) -> None:
    wall, shown = ManualWall(), []
    for steps in ([10, -30, 5], [-3600, 1, 7200]):
        with running(wall, data_dir=tmp_path, speed=1) as fake:
            caller = fake.caller()
            for step in steps:
                wall.step(step)
                shown.append(state_of(fake).now_us)
                caller.submit()
                shown.append(state_of(fake).now_us)
    with running(wall, data_dir=tmp_path, speed=1) as fake:
        records = log_of(fake)

    assert shown == sorted(shown)
    assert [record.t_us for record in records] == sorted(record.t_us for record in records)


def test_a_commit_that_fails_leaves_memory_as_the_log_is(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = fake.caller()
    caller.submit()
    before = image(state_of(fake))
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", refuse(operational_error("disk I/O error")))
        answer = caller.submit()

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert image(state_of(fake)) == before == replayed(fake)
    assert caller.submit().json()["jobid"] == "00002"


def test_a_commit_that_is_reported_as_failed_and_was_none_is_found_in_the_log(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fake.caller()
    append = Log.append

    def append_and_lose_the_connection(*arguments: Any) -> NoReturn:
        append(*arguments)
        raise operational_error("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", append_and_lose_the_connection)
        assert caller.submit().status == 503

    assert image(state_of(fake)) == replayed(fake)
    assert [job["jid"] for job in caller.jobs()] == ["00001"]
    assert caller.submit().json()["jobid"] == "00002"


def test_an_account_whose_first_commit_was_reported_as_failed_can_be_used(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Log.append

    def append_and_lose_the_connection(*arguments: Any) -> NoReturn:
        append(*arguments)
        raise operational_error("server closed the connection unexpectedly")

    caller = fake.anonymous()
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", append_and_lose_the_connection)
        assert caller.sign_in().status == 503

    assert caller.sign_in().status == 200
    assert caller.submit().status == 201
    assert len(log_of(fake)) == 2


def test_a_full_database_refuses_with_507_and_keeps_nothing(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fake.caller()
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", refuse(operational_error("database or disk is full")))
        assert caller.submit().status == 507

    assert caller.jobs() == []


def test_a_command_that_the_fold_cannot_take_does_not_reach_the_log(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log it would stop every later replay, and with it the account."""
    caller = fake.caller()
    caller.submit()
    before = log_of(fake)
    with monkeypatch.context() as patch:
        patch.setattr(account_module, "follow", refuse(ValueError("a defect of the fold")))
        with pytest.raises(AssertionError, match="-> 500"):
            caller.submit()

    assert log_of(fake) == before
    assert caller.submit().json()["jobid"] == "00002"


def test_a_failing_reset_leaves_the_account_as_it_was(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = fake.caller()
    caller.submit()
    with monkeypatch.context() as patch:
        patch.setattr(Log, "restart", refuse(operational_error("disk I/O error")))
        assert caller.post("/_mock/reset", query={"account": "studio"}).status == 503

    assert [job["jid"] for job in caller.jobs()] == ["00001"]


def test_an_account_written_by_a_newer_version_says_so(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller()
        fake.crash()
    connection = sqlite3.connect(tmp_path / "conductor.db")
    with connection:
        connection.execute("UPDATE log SET kind = 'job.dreamt', sum = NULL")
    connection.close()
    with running(data_dir=tmp_path) as fake:
        answer = fake.anonymous().sign_in()

    assert answer.status == 503
    assert "'job.dreamt'" in answer.message


def test_a_directory_written_by_a_newer_version_is_refused(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller()
    connection = sqlite3.connect(tmp_path / "conductor.db")
    with connection:
        connection.execute("INSERT INTO meta VALUES ('command/job.dreamt/1', '')")
    connection.close()

    with pytest.raises(DatabaseError, match=r"newer conductor-mock: it holds commands 'job\.dreamt'"):
        open_service(Settings(data_dir=tmp_path))
    with pytest.raises(DatabaseError, match="newer"):  # and the refusal gave the directory back
        open_service(Settings(data_dir=tmp_path))


def test_a_second_server_on_the_same_directory_is_told_so(tmp_path: Path) -> None:
    with (
        running(data_dir=tmp_path),
        pytest.raises(DatabaseError, match=r"data directory .* is in use by another"),
    ):
        open_service(Settings(data_dir=tmp_path))


def test_the_first_private_key_of_a_client_id_stays_its_key(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller("studio", "the first key")
        assert fake.anonymous().sign_in(client_secret="another key").status == 401
    with running(data_dir=tmp_path) as fake:
        assert fake.anonymous().sign_in(client_secret="another key").status == 401
        assert fake.anonymous().sign_in(client_secret="the first key\n").status == 200


def test_private_keys_are_kept_as_hashes_only(tmp_path: Path) -> None:
    secret = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller("studio", secret)
        caller.submit(environment={"CONDUCTOR_API_KEY": "elsewhere"})
        default_key = fake.service.keys.private_key
        fake.default_caller().submit()
        fake.anonymous().sign_in(client_secret=secret + "wrong")
    line, default_line = secret.splitlines()[1].encode(), default_key.splitlines()[1].encode()

    found = {
        path.name
        for path in tmp_path.rglob("*")
        if path.is_file() and (line in path.read_bytes() or default_line in path.read_bytes())
    }

    assert found == {"keys.json"}  # and that one holds the key that the ready file hands out
    assert line not in (tmp_path / "keys.json").read_bytes()
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    digest = hashlib.sha256(secret.strip().encode()).hexdigest().encode()
    assert digest in (tmp_path / "conductor.db").read_bytes()


def test_the_default_account_is_not_for_the_first_who_comes(fake: Fake) -> None:
    thief = fake.caller("thief")
    thief.client_id = fake.service.keys.client_id
    thief.token = None

    assert thief.sign_in().status == 401
    assert fake.default_caller().submit().status == 201
    assert len(fake.default_caller().get("/_mock/jobs").json()["jobs"]) == 1


def test_big_jobs_lie_in_the_object_store_and_go_with_a_reset(tmp_path: Path) -> None:
    notes = "x" * 70_000

    def stored() -> int:
        return sum(path.is_file() for path in (tmp_path / "objects").rglob("*"))

    with running(data_dir=tmp_path) as fake:
        one, other = fake.caller("one"), fake.caller("other")
        for caller in (one, other):
            assert caller.submit(metadata={"notes": notes}).status == 201
        assert stored() == 1  # the two are equal, so they share it
        one.post("/_mock/reset", query={"account": "one"})
        assert stored() == 1
        assert other.get("/_mock/jobs/1", query={"account": "other"}).json()["payload"]["metadata"] == {
            "notes": notes
        }
        other.post("/_mock/reset", query={"account": "other"})
        assert stored() == 0


def test_equal_big_jobs_are_not_lost_when_another_account_is_reset(tmp_path: Path) -> None:
    payload = job_payload(metadata={"notes": "x" * 70_000})
    with running(data_dir=tmp_path) as fake:
        one, other = fake.caller("one"), fake.caller("other")

        def submit_and_reset() -> None:
            for _ in range(15):
                assert one.post("/jobs/", payload).status == 201
                assert one.post("/_mock/reset", query={"account": "one"}).status == 204

        def submit() -> None:
            for number in range(15):
                assert other.post("/jobs/", payload).status == 201
                if number % 3 == 0:
                    assert other.get(f"/_mock/jobs/{number + 1}", query={"account": "other"}).status == 200

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(submit_and_reset), pool.submit(submit)]:
                done.result()
        assert len(other.jobs()) == 15
        fake.crash()
    with running(data_dir=tmp_path) as fake:
        assert len(fake.caller("other").jobs()) == 15


def test_a_reset_begins_the_account_anew_after_a_restart_too(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        caller.submit()
        caller.upload("/proj/a.ma", b"scene")
    with running(data_dir=tmp_path) as fake:  # there is a snapshot now
        caller = fake.caller()
        caller.post("/_mock/reset", query={"account": "studio"})
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        assert caller.jobs() == []
        assert caller.files() == {}
        assert caller.submit().json()["jobid"] == "00001"
        assert [type(record.command) for record in log_of(fake)[1:]] == [JobCreated]


def test_a_throw_away_server_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with running() as fake:
        fake.caller().submit()
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())


def test_what_the_control_api_says_stays_when_an_idle_account_is_read_again(tmp_path: Path) -> None:
    """The options of the server are taken up once, not each time that the state of an account comes back to memory."""
    with running(data_dir=tmp_path, fleet=5, max_open_accounts=1) as fake:
        mine = {"account": "mine"}
        fake.caller("mine").post("/_mock/options", {"fleet": 2}, query=mine)
        for other in range(3):
            fake.caller(f"other {other}").jobs()
        assert fake.caller("mine").get("/_mock/options", query=mine).json()["fleet"] == 2
    with running(data_dir=tmp_path, fleet=7) as fake:  # another start takes up its own
        assert fake.caller("mine").get("/_mock/options", query=mine).json()["fleet"] == 7
