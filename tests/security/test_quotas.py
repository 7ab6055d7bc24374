"""What accounts and the server may keep: beyond it there is a sentence that names the option, and nothing is kept."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_mock.catalog import served
from conductor_mock.farm.ids import account_id
from conductor_mock.settings import Quotas
from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.journal import Journal
from conductor_mock.store.quotas import FASTEST, NewBytes, QuotaError, StoredBytes
from conductor_mock.store.tables import ACCOUNT_CONTENTS
from support.bundles import replay, save
from support.contents import small_contents
from support.examples import examples
from support.server import Answer, ApiCaller, Fake, candidate, md5_of, running

PART = 8


def refused(answer: Answer, option: str) -> None:
    assert answer.status == 507, answer
    assert re.search(rf"(?<!\S){option}(?!\w)", answer.message), answer.message
    assert "reset" in answer.message or "account that is there" in answer.message, "it says what to do"


def stored(fake: Fake) -> int:
    """Bytes that lie in the store, parts with them, but for what is on its way."""
    folder = fake.service.directory
    files = [path for name in ("objects", "parts", "incoming") for path in (folder / name).rglob("*")]
    return sum(path.stat().st_size for path in files if path.is_file()) + sum(
        map(len, small_contents(folder).values())
    )


def old_form(caller: ApiCaller, content: bytes) -> Answer:
    body = {"upload_files": {"/proj/a": md5_of(content)}}
    answer = caller.post("/api/files/get_upload_urls", body)
    return answer if answer.status != 200 else caller.put(next(iter(answer.json().values())), content)


def new_form(caller: ApiCaller, content: bytes) -> Answer:
    answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": [candidate("/proj/a", content)]})
    if answer.status != 200:
        return answer
    wanted = answer.json()
    if wanted["singlePartURLs"]:
        return caller.put(wanted["singlePartURLs"][0]["preSignedURL"], content)
    (record,) = wanted["multiPartURLs"]
    for number, part in enumerate(record["parts"]):
        answer = caller.put(part["url"], content[number * PART : (number + 1) * PART])
        if answer.status != 200:
            break
    return answer


@given(
    sizes=st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=12),
    own=st.integers(1, 100),
    of_all=st.integers(1, 100),
)
@examples(15, full=30)
def test_whatever_is_uploaded_and_however_no_more_lies_there_than_may(
    sizes: list[tuple[int, bool, bool]], own: int, of_all: int
) -> None:
    with running(quotas=Quotas(account_bytes=own, bytes=of_all), part_size=PART) as fake:
        callers = [fake.caller(name, "a key") for name in ("first", "second")]
        held = [0, 0]
        for number, (size, is_old, is_second) in enumerate(sizes):
            content = bytes([number]) * size
            answer = (old_form if is_old else new_form)(callers[is_second], content)
            if answer.status == 507:
                assert held[is_second] + size > own or sum(held) + size > of_all, "there was room"
                continue
            assert answer.status in (200, 204), answer
            held[is_second] += size
            assert max(held) <= own
            assert stored(fake) <= of_all


@pytest.mark.parametrize("form", [old_form, new_form])
@pytest.mark.parametrize(
    ("quotas", "option"),
    [
        (Quotas(account_bytes=30), "--max-account-bytes"),
        (Quotas(bytes=30), "--max-bytes"),
    ],
)
def test_bytes_beyond_a_quota_are_refused_and_a_reset_makes_room(
    form: object, quotas: Quotas, option: str
) -> None:
    send = old_form if form is old_form else new_form
    with running(quotas=quotas) as fake:
        caller = fake.caller()
        assert send(caller, b"a" * 20).status == 200
        refused(send(caller, b"b" * 20), option)
        assert stored(fake) == 20
        assert send(caller, b"c" * 10).status == 200
        caller.post("/_mock/reset", query={"account": caller.client_id})
        assert send(caller, b"d" * 30).status == 200


def test_the_same_content_twice_is_counted_once_when_it_matters() -> None:
    with running(quotas=Quotas(account_bytes=30)) as fake:
        caller = fake.caller()
        url = caller.upload_url("/proj/a", b"a" * 20)
        for _ in range(3):
            assert caller.put(url, b"a" * 20).status in (200, 507)
        assert new_form(caller, b"b" * 10).status == 200


@pytest.mark.parametrize(
    ("name", "looks", "left"),
    [("account", "scandir", 0), ("account/upload", "scandir", 0), ("account/upload/00001-aa", "stat", 6)],
)
def test_parts_that_become_a_whole_while_they_are_counted_count_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, looks: str, left: int
) -> None:
    (tmp_path / "account/upload").mkdir(parents=True)
    for part in ("account/upload/00001-aa", "account/upload/00002-bb"):
        (tmp_path / part).write_bytes(b"a part")
    look, gone = getattr(os, looks), tmp_path / name

    def vanishing(path: Any, *arguments: Any, **options: Any) -> Any:
        """What is there under this name goes before it is looked at."""
        if str(path) == str(gone):
            with suppress(FileNotFoundError):
                gone.rename(tmp_path.with_name(f"{tmp_path.name} whole"))
        return look(path, *arguments, **options)

    with Database("sqlite://") as database:
        stored = StoredBytes(database, tmp_path, Quotas(account_bytes=100, bytes=20), is_shared=False)
        monkeypatch.setattr(os, looks, vanishing)
        stored.room_for("another", 20 - left)
        with pytest.raises(QuotaError, match="reset accounts"):
            stored.room_for("another", 21 - left)


@settings(deadline=None)
@given(
    quota=st.integers(1, 100), there=st.integers(0, 100), others=st.integers(0, 100), age=st.floats(0, 200)
)
def test_where_others_store_too_a_count_stands_until_they_can_have_filled_the_room(
    quota: int, there: int, others: int, age: float
) -> None:
    now = 1.0
    with Database("sqlite://") as database:

        def store(number: int, size: int) -> None:
            row = {"account": "a", "md5": str(number), "size": size, "t_us": 0}
            with database.write() as connection:
                database.insert_new(connection, NewRows(ACCOUNT_CONTENTS, [row]))

        store(1, there * FASTEST)
        quotas = Quotas(account_bytes=quota * FASTEST, bytes=quota * FASTEST)
        bytes_ = StoredBytes(database, Path("/nowhere"), quotas, is_shared=True, seconds=lambda: now)
        with suppress(QuotaError):
            bytes_.room_for("a", 0)
        store(2, others * FASTEST)
        now += age
        counted = max(quota - there, 0) <= age or there > quota
        known = there + others if counted else there
        if known < quota:
            bytes_.room_for("a", 1)
        else:
            with pytest.raises(QuotaError):
                bytes_.room_for("a", 1)


def test_outputs_count_and_are_refused_with_their_listing() -> None:
    with running(quotas=Quotas(account_bytes=10)) as fake:
        caller = fake.caller()
        caller.submit(output_path="/proj/out")
        caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
        refused(caller.get("/downloads/00001"), "--max-account-bytes")
        assert stored(fake) <= 10


def test_a_bundle_counts() -> None:
    with running() as fake:
        fake.caller().upload("/proj/a", b"a" * 50)
        bundle = save(fake.caller(), files="1")
    with running(quotas=Quotas(account_bytes=30)) as fake:
        refused(replay(fake.anonymous(), bundle), "--max-account-bytes")
        assert stored(fake) == 0
        assert not fake.service.accounts.knows(account_id("studio"))


def test_jobs_beyond_the_quota_are_refused_and_a_key_still_gets_its_job() -> None:
    with running(quotas=Quotas(jobs=2)) as fake:
        caller = fake.caller()
        key = {"Idempotency-Key": '"one"'}
        from support.server import job_payload

        first = caller.post("/jobs/", job_payload(), headers=key)
        assert first.status == 201
        assert caller.submit().status == 201
        refused(caller.submit(), "--max-jobs")
        assert caller.post("/jobs/", job_payload(), headers=key).json()["jobid"] == first.json()["jobid"]
        assert len(caller.jobs()) == 2
        assert fake.caller("another", "key").submit().status == 201


def test_accounts_beyond_the_quota_are_refused_and_the_default_one_is_not() -> None:
    with running(quotas=Quotas(accounts=2)) as fake:
        for name in ("a", "b"):
            fake.caller(name, "key")
        refused(ApiCaller(fake.app, "c", "key").sign_in(), "--max-accounts")
        assert fake.caller("a", "key").submit().status == 201
        assert fake.default_caller().submit().status == 201


# What is stored together


reserving = st.lists(
    st.tuples(
        st.sampled_from(["begin", "begin", "store", "give up", "count"]), st.booleans(), st.integers(0, 5)
    ),
    max_size=40,
)
"""Uploads of two accounts that begin, are stored or given up, in any order; now and then all is counted again."""


@given(schedule=reserving, own=st.integers(1, 60), of_all=st.integers(1, 80))
@settings(max_examples=60)
def test_what_is_stored_at_the_same_time_never_goes_beyond_and_is_refused_only_where_it_would(
    schedule: list[tuple[str, bool, int]], own: int, of_all: int
) -> None:
    sizes = [0, 5, 10, 20, 30, 31]
    with closing(Database("sqlite://")) as database:
        quotas = Quotas(account_bytes=own, bytes=of_all)
        stored_bytes = StoredBytes(database, Path("/nowhere"), quotas, is_shared=False)
        there: set[tuple[str, int]] = set()
        under_way: list[tuple[tuple[str, int], ExitStack]] = []

        def end(number: int, error: Exception | None) -> None:
            key, stack = under_way.pop(number % len(under_way))
            if error is None and key not in there:
                row = {"account": key[0], "md5": str(key[1]), "size": sizes[key[1]], "t_us": 0}
                with database.write() as connection:
                    database.insert_new(connection, NewRows(ACCOUNT_CONTENTS, [row]))
                there.add(key)
            stack.__exit__(type(error) if error else None, error, None)

        def size_of(keys: set[tuple[str, int]], account: str = "") -> int:
            return sum(sizes[number] for name, number in keys if account in ("", name))

        for what, is_second, number in schedule:
            account = "second" if is_second else "first"
            if what == "begin":
                stack, key = ExitStack(), (account, number)
                wanted = NewBytes(sizes[number], (ACCOUNT_CONTENTS, str(number)))
                all_ = there | {key for key, _ in under_way} | {key}
                would_fit = size_of(all_, account) <= own and size_of(all_) <= of_all
                try:
                    stack.enter_context(stored_bytes.reserve(account, [wanted]))
                except QuotaError:
                    assert not would_fit or key in there, "there was room"
                else:
                    assert would_fit
                    under_way.append((key, stack))
            elif what == "count":
                stored_bytes.forget(account)
            elif under_way:
                end(number, None if what == "store" else OSError("gone"))
            assert size_of(there, account) <= own
            assert size_of(there) <= of_all
        while under_way:
            end(0, OSError("gone"))
        assert not stored_bytes._reserved
        for account in ("first", "second"):
            stored_bytes.forget(account)
            left = min(own - size_of(there, account), of_all - size_of(there))
            stored_bytes.room_for(account, left)
            with pytest.raises(QuotaError):
                stored_bytes.room_for(account, left + 1)


def test_of_uploads_that_arrive_together_only_those_get_in_for_which_there_is_room() -> None:
    with running(quotas=Quotas(account_bytes=50)) as fake:
        caller = fake.caller()
        urls = [caller.upload_url(f"/proj/{number}", bytes([number]) * 20) for number in range(6)]
        commit = fake.service.contents._database.commit_with_others
        answered, committing = threading.Semaphore(0), threading.Event()

        def wait_for_the_refused(work: Any) -> None:
            committing.wait(60)
            commit(work)

        fake.service.contents._database.commit_with_others = wait_for_the_refused  # type: ignore[method-assign]
        statuses: list[int] = []

        def send(number: int) -> None:
            one = ApiCaller(fake.app, caller.client_id, caller.private_key)
            statuses.append(one.put(urls[number], bytes([number]) * 20).status)
            answered.release()

        threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        refused_meanwhile = [answered.acquire(timeout=60) for _ in range(4)]
        committing.set()
        for thread in threads:
            thread.join()
        assert all(refused_meanwhile)
        assert sorted(statuses) == [200, 200, 507, 507, 507, 507]
        assert stored(fake) == 40
        assert new_form(caller, b"x" * 10).status == 200, "what was refused took no room"


# The journal


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=60),
    most=st.integers(4000, 20_000),
    clears=st.sets(st.integers(0, 60)),
)
def test_the_journal_never_holds_more_bytes_than_it_may_and_the_newest_stay(
    sizes: list[int], most: int, clears: set[int]
) -> None:
    with closing(Journal(None, most_bytes=most)) as journal:
        kept: list[str] = []
        for number, size in enumerate(sizes):
            if number in clears:
                journal.clear()
                kept = []
            text = "x" * size + str(number)
            journal.add(account="a", operation=None, entry={"method": "GET", "path": "/", "text": text})
            kept.append(text)
            there = [entry["text"] for entry in journal.find()]
            assert there == kept[len(kept) - len(there) :], "the newest, in order"
            assert sum(map(len, there)) <= most
            assert there[-1:] == [text]
            if sum(len(json.dumps({"method": "GET", "path": "/", "text": one})) for one in kept) <= most:
                assert there == kept
            kept = there


def test_a_journal_that_was_allowed_more_becomes_as_small_as_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(Journal(path, most_bytes=10_000_000)) as journal:
        for _ in range(50):
            journal.add(
                account="a", operation=None, entry={"method": "GET", "path": "/", "text": "x" * 50_000}
            )
    before = path.stat().st_size
    for _ in range(2):  # the first removes, the second finds that there is room to give back
        with closing(Journal(path, most_bytes=100_000)) as journal:
            journal.add(account="a", operation=None, entry={"method": "GET", "path": "/", "text": "last"})
            assert journal.find()[-1]["text"] == "last"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < before / 5


# Memory


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Fake]:
    with running(data_dir=tmp_path, max_open_accounts=3) as fake:
        yield fake


def open_states(fake: Fake) -> int:
    slots = fake.service.accounts._slots
    return sum(slot.state is not None for slot in slots._slots.values())


def test_no_more_accounts_are_in_memory_than_may_and_none_forgets_anything(crowd: Fake) -> None:
    callers = [crowd.caller(f"account {number}", "key") for number in range(8)]
    for round_ in range(2):
        for number, caller in enumerate(callers):
            assert caller.submit(job_title=f"{number} {round_}").status == 201
            assert open_states(crowd) <= 4, "three, and the one that is used"
    crowd.wall.step(600)
    for number, caller in enumerate(callers):
        assert [job["title"] for job in caller.jobs()] == [f"{number} 0", f"{number} 1"]


def test_an_account_that_somebody_is_at_is_not_written_down(crowd: Fake) -> None:
    callers = [crowd.caller(f"account {number}", "key") for number in range(3)]
    accounts = crowd.service.accounts
    is_open, may_end = threading.Event(), threading.Event()

    def use() -> None:
        with accounts.open(account_id("account 0")) as account:
            is_open.set()
            assert may_end.wait(60)
            assert account.state is accounts._slots._slots[account_id("account 0")].state

    thread = threading.Thread(target=use)
    thread.start()
    assert is_open.wait(60)
    for caller in [*callers[1:], crowd.caller("account 4", "key"), crowd.caller("account 5", "key")]:
        assert caller.submit().status == 201
    may_end.set()
    thread.join()
    assert callers[0].submit().status == 201


def test_an_account_in_use_by_the_same_thread_is_not_written_down(crowd: Fake) -> None:
    for number in range(6):
        crowd.caller(f"account {number}", "key")
    accounts = crowd.service.accounts
    with accounts.open(account_id("account 0")) as outer:
        for number in range(1, 6):
            with accounts.open(account_id(f"account {number}")):
                pass
        assert outer.state is accounts._slots._slots[account_id("account 0")].state


def test_no_more_catalogues_are_in_memory_than_may_and_each_account_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served, "MOST_OWN", 2)
    with running() as fake:
        shipped = fake.anonymous().get("/_mock/catalog").json()
        names = [f"project {number}" for number in range(5)]
        for name in names:
            caller = fake.caller(name, "key")
            document = {
                "packages": [{**shipped["packages"][0], "plugins": []}],
                "projects": [{"id": name, "name": name, "status": "active"}],
                "instance_types": shipped["instance_types"],
            }
            where = {"account": caller.client_id}
            assert caller.request("PUT", "/_mock/catalog", body=document, query=where).status == 200
        for name in names:
            (project,) = fake.caller(name, "key").get("/api/v1/projects").json()["data"]
            assert project["name"] == name
            assert len(fake.service.catalogs._own) <= 2


# The sweeper beside the requests


def test_a_sweep_beside_the_server_takes_what_nothing_refers_to_and_nothing_else(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, part_size=PART) as fake:
        caller = fake.caller()
        caller.upload("/proj/a", b"kept")
        assert caller.submit(job_title="x" * 100_000).status == 201
        asked = {"upload_files": [candidate("/proj/b", b"0123456789")]}
        (record,) = caller.post("/api/v2/files/get_upload_urls", asked).json()["multiPartURLs"]
        assert caller.put(record["parts"][0]["url"], b"01234567").status == 200
        sweeping = fake.service.sweeping
        assert sweeping is not None
        before = stored(fake)
        assert sweeping.sweep() == 0
        fake.service.objects.put(_Once(b"orphan"), md5=bytes.fromhex(_md5(b"orphan")), size=6)
        (tmp_path / "parts" / "1" / "2").mkdir(parents=True)
        (tmp_path / "parts" / "1" / "2" / "00001-x").write_bytes(b"of nobody")
        assert stored(fake) == before + 15
        assert sweeping.sweep() == 2
        assert stored(fake) == before
        assert caller.files() == {"/proj/a": md5_of(b"kept")}


def test_a_sweep_is_on_a_schedule_and_ends_with_the_server(tmp_path: Path) -> None:
    names = {thread.name for thread in threading.enumerate()}
    with running(data_dir=tmp_path):
        assert "conductor-mock sweeper" in {thread.name for thread in threading.enumerate()} - names
    assert {thread.name for thread in threading.enumerate()} <= names
    with running():
        assert "conductor-mock sweeper" not in {thread.name for thread in threading.enumerate()}, (
            "thrown away"
        )


class _Once:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        data, self._data = self._data, b""
        return data


def _md5(data: bytes) -> str:
    import hashlib

    return hashlib.md5(data).hexdigest()
