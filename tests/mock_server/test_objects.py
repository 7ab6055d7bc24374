"""Contents of files: stored whole and verified or not at all, shared by accounts, deleted when nobody wants them."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.ids import account_id
from conductor_mock.store import durable
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.content_store import BLOCK, ContentStore
from conductor_mock.store.database import Database
from conductor_mock.store.durable import NewFile
from conductor_mock.store.objects import ObjectStore, WrongContentError
from conductor_mock.store.read_write_lock import ReadWriteLock
from conductor_mock.wire.md5 import to_base64
from support.bundles import replay, save
from support.server import Fake, md5_of, running

CONTENT = b"the content of a file"
LARGE = CONTENT * 10_000
"""A content that is a file of its own."""


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


def files_in(folder: Path) -> list[str]:
    """Every file below the store's two folders."""
    return sorted(
        path.name for part in ("objects", "incoming") for path in (folder / part).rglob("*") if path.is_file()
    )


def keep(store: ObjectStore, content: bytes, **declared: int) -> int:
    with store.receive(io.BytesIO(content), md5=digest(content), **declared) as received, received.placed():
        return received.size


class Zeros:
    """A body of zeros that is nowhere in memory."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        count = min(size, self._left)
        self._left -= count
        return bytes(count)


def md5_of_zeros(size: int) -> bytes:
    sum_ = hashlib.md5()
    for _ in range(size // BLOCK):
        sum_.update(bytes(BLOCK))
    sum_.update(bytes(size % BLOCK))
    return sum_.digest()


def test_a_content_is_kept_under_its_digest(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)

    assert keep(store, CONTENT, size=len(CONTENT)) == len(CONTENT)

    assert store.has(digest(CONTENT))
    assert store.read(digest(CONTENT)) == CONTENT
    with store.open(digest(CONTENT)) as file:
        assert file.read() == CONTENT
    assert files_in(tmp_path) == [digest(CONTENT).hex()]


@given(st.binary(max_size=64), st.data())
def test_one_flipped_bit_is_refused_and_nothing_is_stored(content: bytes, data: st.DataObject) -> None:
    flipped = bytearray(content or b"\0")
    bit = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[bit // 8] ^= 1 << (bit % 8)
    folder = _fresh_folder()
    store = ObjectStore(folder)

    with pytest.raises(WrongContentError), store.receive(io.BytesIO(bytes(flipped)), md5=digest(content)):
        raise AssertionError("it was received")

    assert files_in(folder) == []


def _fresh_folder() -> Path:
    """A folder for one example of a property, in the home folder that the test was given."""
    folder = Path.home() / os.urandom(8).hex()
    folder.mkdir()
    return folder


@given(st.binary(max_size=64), st.integers(0, 100))
def test_another_size_than_the_declared_one_is_refused(content: bytes, declared: int) -> None:
    store = ObjectStore(_fresh_folder())
    if declared == len(content):
        assert keep(store, content, size=declared) == declared
        return
    with pytest.raises(WrongContentError, match=str(declared)):
        keep(store, content, size=declared)
    assert not store.has(digest(content))


def test_a_body_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    body = io.BytesIO(bytes(10 * BLOCK))

    received = ObjectStore(tmp_path).receive(body, md5=digest(b""), size=5)
    with pytest.raises(WrongContentError, match="larger than the declared 5"), received:
        raise AssertionError("it was received")

    assert body.tell() == BLOCK


def test_a_body_of_any_size_takes_the_same_memory(tmp_path: Path) -> None:
    store, size = ObjectStore(tmp_path), 64 * 1024 * 1024
    md5 = md5_of_zeros(size)
    tracemalloc.start()
    try:
        with store.receive(Zeros(size), md5=md5, size=size) as received, received.placed():
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert store.path(md5).stat().st_size == size
    assert peak < 8 * BLOCK


def test_a_content_that_the_caller_does_not_keep_is_gone(tmp_path: Path) -> None:
    with ObjectStore(tmp_path).receive(io.BytesIO(CONTENT), md5=digest(CONTENT)) as received:
        assert received.size == len(CONTENT)

    assert files_in(tmp_path) == []


def test_leftovers_of_a_crash_are_removed_at_the_start(tmp_path: Path) -> None:
    keep(ObjectStore(tmp_path), CONTENT)
    (tmp_path / "incoming" / "a half file").write_bytes(CONTENT[:3])

    assert ObjectStore(tmp_path).read(digest(CONTENT)) == CONTENT
    assert files_in(tmp_path) == [digest(CONTENT).hex()]


STORE_ON_A_FULL_DISK = """
import hashlib, io, pathlib, resource, sys
from conductor_mock.store.objects import ObjectStore
store = ObjectStore(pathlib.Path(sys.argv[1]))
content = bytes(int(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    with store.receive(io.BytesIO(content), md5=hashlib.md5(content).digest()) as received, received.placed():
        pass
except OSError as error:
    print("refused:", error.strerror)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of file sizes are POSIX")
@pytest.mark.parametrize("size", [(1 << 20) + 1, (1 << 20) + BLOCK, 3 << 20])
def test_a_disk_that_takes_a_part_of_the_last_block_makes_no_short_file(tmp_path: Path, size: int) -> None:
    """The system writes what still fits and says so by the count alone; only the next write fails."""
    child = subprocess.run(
        [sys.executable, "-c", STORE_ON_A_FULL_DISK, str(tmp_path), str(size)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert child.stdout.startswith("refused:")
    assert files_in(tmp_path) == []


@contextmanager
def contents(folder: Path) -> Iterator[tuple[ObjectStore, AccountContents]]:
    store = ObjectStore(folder)
    with Database(f"sqlite:///{folder / 'conductor.db'}") as database:
        yield store, AccountContents(database, store)


def put(store: ObjectStore, held: AccountContents, account: str, content: bytes) -> None:
    with store.receive(io.BytesIO(content), md5=digest(content), size=len(content)) as received:
        held.add_upload(account, received, t_us=0)


def test_a_content_is_held_by_who_sent_it_only(tmp_path: Path) -> None:
    with contents(tmp_path) as (store, held):
        held.declare("5001", [("/a", md5_of(CONTENT)), ("/b", md5_of(CONTENT))])
        held.declare("5002", [("/c", md5_of(CONTENT))])
        put(store, held, "5001", CONTENT)

        assert held.held("5001", [md5_of(CONTENT), md5_of(b"")]) == {md5_of(CONTENT)}
        assert held.held("5002", [md5_of(CONTENT)]) == set()
        assert [(file.path, file.size) for file in held.files("5001")] == [("/a", 21), ("/b", 21)]
        assert held.files("5002") == []


@pytest.mark.parametrize("newest", [b"one", b"other"])
def test_of_the_contents_that_were_declared_for_a_path_the_newest_counts(
    tmp_path: Path, newest: bytes
) -> None:
    with contents(tmp_path) as (store, held):
        for content in (b"one", b"other"):
            held.declare("5001", [("/a", md5_of(content))])
            with store.receive(io.BytesIO(content), md5=digest(content), size=len(content)) as received:
                held.add_upload("5001", received, t_us=2 if content == newest else 1)
        assert held.held_md5("5001", "/a") == md5_of(newest)
        assert held.held_md5("5001", "/b") is None
        assert held.held_md5("5002", "/a") is None


def test_what_an_account_has_is_listed_without_what_others_have(tmp_path: Path) -> None:
    with contents(tmp_path) as (store, held):
        for account in ("5001", "5002"):
            held.declare(account, [(f"/{account}", md5_of(account.encode()))])
            put(store, held, account, account.encode())
            held.add_output(account, [f"output of {account}".encode()], t_us=7)
        found = held.inventory("5001")

        assert [(one.md5, one.size, one.t_us) for one in found.uploads] == [(md5_of(b"5001"), 4, 0)]
        assert [(one.md5, one.t_us) for one in found.outputs] == [(md5_of(b"output of 5001"), 7)]
        assert found.declared == ((md5_of(b"5001"), "/5001"),)
        assert sorted(held.stored("5001")) == [(0, 4), (7, 14)]


def test_many_contents_are_asked_for_at_once(tmp_path: Path) -> None:
    with contents(tmp_path) as (store, held):
        put(store, held, "5001", CONTENT)
        wanted = [to_base64(number.to_bytes(16, "big")) for number in range(2000)]

        assert held.held("5001", [*wanted, md5_of(CONTENT)]) == {md5_of(CONTENT)}


def test_forgetting_an_account_deletes_what_nobody_else_holds(tmp_path: Path) -> None:
    with contents(tmp_path) as (store, held):
        for account in ("5001", "5002"):
            put(store, held, account, b"shared")
        put(store, held, "5001", b"mine")
        held.forget("5001")

        assert not store.has(digest(b"mine"))
        assert store.read(digest(b"shared")) == b"shared"
        assert held.held("5002", [md5_of(b"shared")]) == {md5_of(b"shared")}
        held.forget("5002")
        assert files_in(tmp_path) == []


def test_a_content_on_its_way_survives_that_another_account_forgets_it(tmp_path: Path) -> None:
    with contents(tmp_path) as (store, held):
        put(store, held, "5001", CONTENT)
        with store.receive(io.BytesIO(CONTENT), md5=digest(CONTENT)) as received:
            held.forget("5001")  # what a reset does, when the body was just read
            held.add_upload("5002", received, t_us=0)

        assert store.read(digest(CONTENT)) == CONTENT
        assert held.held("5002", [md5_of(CONTENT)]) == {md5_of(CONTENT)}


def test_nobody_deletes_a_content_between_its_rename_and_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contents(tmp_path) as (store, held):
        put(store, held, "5001", CONTENT)
        reset_in_between(monkeypatch, store, lambda: held.forget("5001"))
        put(store, held, "5002", CONTENT)

        assert store.read(digest(CONTENT)) == CONTENT


def test_nobody_deletes_the_body_of_a_job_between_its_rename_and_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = {"notes": "x" * 70_000}
    with running(data_dir=tmp_path) as fake:
        one, other = fake.caller("one"), fake.caller("other")
        one.submit(metadata=notes)
        accounts = fake.service.accounts
        reset_in_between(monkeypatch, fake.service.objects, lambda: accounts.reset(account_id("one")))
        other.submit(metadata=notes)

        assert other.get("/_mock/jobs/1", query={"account": "other"}).json()["payload"]["metadata"] == notes


def test_nobody_deletes_a_content_of_a_bundle_between_the_look_at_it_and_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as first:
        first.caller().upload("/a", CONTENT)
        bundle = save(first.caller(), files="1")
    with running(data_dir=tmp_path) as fake:
        fake.caller("one").upload("/b", CONTENT)
        accounts = fake.service.accounts
        reset_in_between(monkeypatch, fake.service.objects, lambda: accounts.reset(account_id("one")))

        assert replay(fake.anonymous(), bundle).status == 201
        assert fake.service.objects.read(digest(CONTENT)) == CONTENT


@pytest.mark.parametrize("by", ["forget", "collect"])
def test_whoever_deletes_contents_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    with contents(tmp_path) as (store, held):
        put(store, held, "5001", CONTENT)
        if by == "collect":
            other = put_unreferenced(store, b"nobody's")
        lock = store.lock = CountingLock()
        delete, alone = store.delete, list[int]()

        def seen_delete(md5: bytes) -> None:
            alone.append(lock.alone_count)
            delete(md5)

        monkeypatch.setattr(store, "delete", seen_delete)
        if by == "forget":
            held.forget("5001")
        else:
            held.collect([other])

    assert alone == [1]


def put_unreferenced(store: ObjectStore, content: bytes) -> str:
    """A content in the store that no row refers to; its base64 md5."""
    store.put(io.BytesIO(content), md5=digest(content), size=len(content))
    return md5_of(content)


class CountingLock(ReadWriteLock):
    """The lock, which counts those who hold it, to give a content its name or to delete some."""

    count = alone_count = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with super().shared():
            self.count += 1
            yield
            self.count -= 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        with super().alone():
            self.alone_count += 1
            yield
            self.alone_count -= 1


def reset_in_between(monkeypatch: pytest.MonkeyPatch, store: ContentStore, reset: Callable[[], None]) -> None:
    """Let `reset` come as late as it can before the next transaction: when nothing keeps it from deleting."""
    write = Database.write
    lock = store.lock = CountingLock()

    def write_after_the_reset(database: Database) -> AbstractContextManager[sa.Connection]:
        monkeypatch.setattr(Database, "write", write)
        if not lock.count:
            reset()
        return write(database)

    monkeypatch.setattr(Database, "write", write_after_the_reset)


def test_contents_that_come_and_go_in_parallel_are_never_lost(tmp_path: Path) -> None:
    with contents(tmp_path) as (store, held):

        def come_and_go() -> None:
            for _ in range(30):
                put(store, held, "5001", CONTENT)
                held.forget("5001")

        def come() -> None:
            for number in range(30):
                put(store, held, f"6{number:03}", CONTENT)
                assert store.read(digest(CONTENT)) == CONTENT

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(come_and_go), pool.submit(come)]:
                done.result()

        assert store.read(digest(CONTENT)) == CONTENT


def test_the_same_content_sent_in_parallel_is_stored_once(fake: Fake) -> None:
    caller = fake.caller()
    content = os.urandom(3 * BLOCK)
    url = caller.upload_url("/proj/a.ma", content)
    start = threading.Barrier(8)

    def send() -> int:
        start.wait()
        return caller.put(url, content).status

    with ThreadPoolExecutor(8) as pool:
        statuses = [future.result() for future in [pool.submit(send) for _ in range(8)]]

    assert statuses == [200] * 8
    assert caller.files() == {"/proj/a.ma": md5_of(content)}
    assert fake.service.objects.read(digest(content)) == content


def full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("module", "call"), [(NewFile, "write"), (os, "fsync")], ids=["write", "fsync"])
def test_a_full_disk_is_507_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, call: str
) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        url = caller.upload_url("/proj/a.ma", LARGE)
        with monkeypatch.context() as patch:
            patch.setattr(module, call, full)
            answer = caller.put(url, LARGE)

        assert answer.status == 507
        assert "the disk of the fake service is full" in answer.message
        assert files_in(tmp_path) == []
        assert caller.files() == {}
        assert caller.put(url, LARGE).status == 200  # and the same URL works once there is room


def test_nobody_is_told_of_a_content_whose_folder_is_not_on_disk_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second content finds the folder of all made, but not synced."""
    store = ObjectStore(tmp_path)
    first, second = b"one", b"another"
    made, go_on = threading.Event(), threading.Event()
    fsync_folder = durable.fsync_folder

    def slow(path: Path) -> None:
        if path == tmp_path / "objects":
            made.set()
            assert go_on.wait(60)
        fsync_folder(path)

    monkeypatch.setattr(durable, "fsync_folder", slow)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(keep, store, first)
        assert made.wait(60)
        other = pool.submit(keep, store, second)
        while not store.has(digest(second)):
            assert not other.done()
        assert not wait([other], timeout=0.1).done
        go_on.set()
        assert (one.result(), other.result()) == (len(first), len(second))


def test_a_full_database_is_507_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_error = sa.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    def refuse(*_: object) -> NoReturn:
        raise full_error

    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        url = caller.upload_url("/proj/a.ma", CONTENT)
        with monkeypatch.context() as patch:
            patch.setattr(Database, "insert_new", refuse)
            assert caller.put(url, CONTENT).status == 507

        assert files_in(tmp_path) == []
        assert caller.put(url, CONTENT).status == 200


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        (CONTENT, CONTENT[:-1]),
        (CONTENT, CONTENT + b"!"),
        (CONTENT, b""),
        (b"", CONTENT),
        (CONTENT, CONTENT[::-1]),
    ],
    ids=["too short", "too long", "empty", "not empty", "another"],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_not_the_declared_one_is_refused_and_not_stored(
    fake: Fake, declared: bytes, sent: bytes, chunked: bool
) -> None:
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", declared)

    if chunked:
        answer = caller.request(
            "PUT",
            url,
            headers={"Transfer-Encoding": "chunked"},
            environ={"wsgi.input": io.BytesIO(sent), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
        )
    else:
        answer = caller.put(url, sent, environ={"CONTENT_LENGTH": str(len(sent))})

    assert answer.status == 400
    assert caller.files() == {}
    assert not fake.service.objects.has(digest(declared))
    assert not fake.service.objects.has(digest(sent))


def test_a_reset_keeps_what_another_account_sent_too(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    for caller in (one, other):
        caller.upload("/proj/shared.ma", b"shared")
    one.upload("/proj/mine.ma", b"mine")

    assert one.post("/_mock/reset", query={"account": "one"}).status == 204

    assert one.files() == {}
    assert other.files() == {"/proj/shared.ma": md5_of(b"shared")}
    assert fake.service.objects.has(digest(b"shared"))
    assert not fake.service.objects.has(digest(b"mine"))
