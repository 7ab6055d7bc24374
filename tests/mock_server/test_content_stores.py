"""What every store of contents promises, of the folder, the bucket, and the table with files alike."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from conductor_mock.store import bucket_sending
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.bucket_objects import BucketObjects, name_of
from conductor_mock.store.content_store import BLOCK, ContentStore
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.objects import DamagedContentError, ObjectStore, WrongContentError
from conductor_mock.store.small_contents import SMALL_BYTES
from conductor_mock.store.table_and_bucket import TableAndBucket
from conductor_mock.store.table_and_files import TableAndFiles
from conductor_mock.store.tables import SMALL_CONTENTS
from conductor_mock.wire.md5 import to_base64
from support.buckets import store_in_bucket, table_and_bucket
from support.examples import examples
from support.server import md5_of

CONTENT = b"the content of a file"
STORES: dict[str, Callable[[Path, Database], ContentStore]] = {
    "folder": lambda folder, _: ObjectStore(folder),
    "bucket": lambda folder, _: store_in_bucket(folder),
    "table": TableAndFiles,
    "table and bucket": table_and_bucket,
}

each = pytest.mark.parametrize("kind", STORES)


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


@contextmanager
def new_store(kind: str) -> Iterator[tuple[ContentStore, Database]]:
    """An empty store for one example, in the home folder that the test was given, and the database beside it."""
    folder = Path.home() / os.urandom(8).hex()
    folder.mkdir()
    with Database(of_file(folder / "conductor.db")) as database:
        yield STORES[kind](folder, database), database


def keep(store: ContentStore, content: bytes) -> bytes:
    store.put(io.BytesIO(content), md5=digest(content), size=len(content))
    return digest(content)


def damage(store: ContentStore, database: Database, md5: bytes, content: bytes) -> None:
    """Let something else lie where a content does, and is read first."""
    if isinstance(store, ObjectStore) and store.path(md5).exists():
        store.path(md5).write_bytes(content)
        return
    row = SMALL_CONTENTS.update().where(SMALL_CONTENTS.c.md5 == to_base64(md5))
    with database.write() as connection:
        if connection.execute(row.values(bytes=content)).rowcount:
            return
    assert isinstance(store, BucketObjects)
    store.bucket.put(name_of(md5), content, md5=digest(content))


POOL = [b"", b"a", CONTENT, b"s" * SMALL_BYTES, b"l" * (SMALL_BYTES + 1), b"x" * (BLOCK + 1)]
NUMBERS = st.integers(0, len(POOL) - 1)


class Stores(RuleBasedStateMachine):
    """A store beside what ought to be in it."""

    kind = "folder"

    def __init__(self) -> None:
        super().__init__()
        self.opened = ExitStack()
        self.store, self.database = self.opened.enter_context(new_store(self.kind))
        self.rows: set[bytes] = set()
        """Contents that lie in the table."""
        self.files: set[bytes] = set()
        """Those that have a file, or are in the bucket; some of them are rows, too."""

    @property
    def there(self) -> set[bytes]:
        return self.rows | self.files

    def teardown(self) -> None:
        self.opened.close()

    @rule(numbers=st.lists(NUMBERS, min_size=1, max_size=3))
    def put(self, numbers: list[int]) -> None:
        contents = [POOL[number] for number in numbers]
        with ExitStack() as received:
            new = [received.enter_context(self.store.write([one])) for one in contents]
            with self.store.placed_together(new), self.database.write() as connection:
                for one in new:
                    one.join(connection)
            has_rows = isinstance(self.store, TableAndFiles | TableAndBucket)
            for content in contents:
                (self.rows if has_rows and len(content) <= SMALL_BYTES else self.files).add(content)

    @rule(number=NUMBERS)
    def give_up(self, number: int) -> None:
        content = POOL[number]
        with self.store.receive(io.BytesIO(content), md5=digest(content), size=len(content)) as new:
            assert (new.md5, new.size) == (digest(content), len(content))

    @rule(numbers=st.lists(NUMBERS, max_size=3))
    def delete(self, numbers: list[int]) -> None:
        contents = [POOL[number] for number in numbers]
        with self.store.lock.alone():
            self.store.delete_all([digest(content) for content in contents])
        self.rows.difference_update(contents)
        self.files.difference_update(contents)

    @rule(number=NUMBERS)
    def ask_for_a_path(self, number: int) -> None:
        content = POOL[number]
        if not isinstance(self.store, ObjectStore):
            return
        if content not in self.there:
            with pytest.raises(FileNotFoundError):
                self.store.checked(digest(content))
            return
        assert self.store.checked(digest(content)).read_bytes() == content
        self.files.add(content)

    @rule(number=NUMBERS)
    def a_server_of_before_puts_it_into_the_bucket(self, number: int) -> None:
        content = POOL[number]
        if not isinstance(self.store, TableAndBucket):
            return
        bucket_sending.send(self.store.bucket, name_of(digest(content)), content, md5=digest(content))
        self.files.add(content)

    @rule(number=NUMBERS, at=st.integers(0, 9), count=st.integers(1, 400))
    def read(self, number: int, at: int, count: int) -> None:
        content = POOL[number]
        md5 = digest(content)
        if content not in self.there:
            with pytest.raises(FileNotFoundError):
                self.store.read(md5)
            with pytest.raises(FileNotFoundError):
                self.store.open_checked(md5)
            return
        assert self.store.read(md5) == content
        with self.store.open_checked(md5) as file:
            assert file.read() == content
        if at < len(content):
            with self.store.look_up(md5).open_part(at, count) as file:
                assert file.read(count) == content[at : at + count]

    @rule(number=NUMBERS, other=st.binary(max_size=9))
    def find_damaged(self, number: int, other: bytes) -> None:
        content = POOL[number]
        if content not in self.there or other == content:
            return
        damage(self.store, self.database, digest(content), other)
        with pytest.raises(DamagedContentError):
            self.store.read(digest(content))
        # Of two that lie there the one that was read is set aside: the file, or the row before what is in the bucket.
        in_order = (self.files, self.rows) if isinstance(self.store, ObjectStore) else (self.rows, self.files)
        next(place for place in in_order if content in place).remove(content)

    @invariant()
    def is_what_it_ought_to_be(self) -> None:
        digests = {digest(content): content for content in POOL}
        assert {digests[md5] for md5 in digests if self.store.has(md5)} == self.there
        for content in self.there:
            assert self.store.look_up(digest(content)).size == len(content)
        asked: list[None] = []
        stored = self.store.still_there(
            [digest(content) for content in self.there], lambda: asked.append(None)
        )
        assert {digests[md5] for md5 in stored} == self.there
        # Another machine is asked for what is in a bucket, and never unannounced.
        assert len(asked) == (not isinstance(self.store, ObjectStore) and bool(self.there - set(self.rows)))
        assert list((self.store.root / "incoming").iterdir()) == []


@pytest.mark.hypothesis
@each
def test_a_store_holds_what_was_put_and_not_taken_away(kind: str) -> None:
    machine = type("StoresOfAKind", (Stores,), {"kind": kind})
    few = settings(max_examples=5 if "bucket" in kind else 20, stateful_step_count=12)
    run_state_machine_as_test(machine, settings=few)


@each
@settings(max_examples=10)
@given(content=st.binary(max_size=64), data=st.data())
def test_one_flipped_bit_is_refused_and_nothing_is_stored(
    kind: str, content: bytes, data: st.DataObject
) -> None:
    flipped = bytearray(content or b"\0")
    bit = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[bit // 8] ^= 1 << (bit % 8)
    body = io.BytesIO(bytes(flipped))

    with new_store(kind) as (store, _):
        with pytest.raises(WrongContentError), store.receive(body, md5=digest(content)):
            raise AssertionError("it was received")

        assert not store.has(digest(content))
        assert not store.has(digest(bytes(flipped)))


@each
@pytest.mark.parametrize("content", [CONTENT, bytes(SMALL_BYTES + 1)], ids=["small", "large"])
def test_what_was_received_before_is_stored_when_it_is_passed_on(kind: str, content: bytes) -> None:
    with new_store(kind) as (store, database):
        parts = io.BytesIO(content)
        with (
            store.pass_on(parts, md5=digest(content), size=len(content)) as new,
            new.placed(),
            database.write() as connection,
        ):
            new.join(connection)
        assert (new.md5, new.size) == (digest(content), len(content))
        assert store.read(digest(content)) == content


@each
def test_a_body_that_is_too_long_is_not_read_to_its_end(kind: str) -> None:
    body = io.BytesIO(bytes(10 * BLOCK))

    with (
        new_store(kind) as (store, _),
        pytest.raises(WrongContentError, match="larger than the declared 5"),
        store.receive(body, md5=digest(b""), size=5),
    ):
        raise AssertionError("it was received")

    assert body.tell() == BLOCK


@each
def test_nobody_deletes_while_a_content_has_its_name_and_no_row(kind: str) -> None:
    with new_store(kind) as (store, database), ThreadPoolExecutor(1) as pool:
        with store.write([CONTENT]) as new, new.placed():
            with database.write() as connection:
                new.join(connection)
            deleting = pool.submit(delete_alone, store, new.md5)
            while not store.lock.waiting:
                assert not deleting.done()
            assert store.has(new.md5)
        deleting.result()
        assert not store.has(digest(CONTENT))


def delete_alone(store: ContentStore, md5: bytes) -> None:
    with store.lock.alone():
        store.delete(md5)


@each
def test_a_content_that_was_set_aside_is_asked_for_again_and_can_be_sent_again(kind: str) -> None:
    with new_store(kind) as (store, database):
        many = [keep(store, b"%d" % number) for number in range(8)]
        damage(store, database, many[0], b"something else")
        with pytest.raises(DamagedContentError, match="was damaged"):
            store.read(many[0])

        assert store.still_there(many) == set(many[1:])
        assert store.still_there(many[:1]) == set()
        keep(store, b"0")
        assert store.still_there(many) == set(many)


@each
@examples(5)
@given(content=st.binary(max_size=20), other=st.binary(max_size=20), others=st.sets(st.binary(max_size=20)))
def test_a_content_that_was_damaged_and_comes_again_is_whole(
    kind: str, content: bytes, other: bytes, others: set[bytes]
) -> None:
    """Also before anybody has read it, and noticed."""
    assume(other != content)
    others -= {content}
    with contents(kind) as (store, held):
        for one in (content, *others):
            put(store, held, "5001", one)
        damage(store, held._database, digest(content), other)
        put(store, held, "5002", content)
        assert store.read(digest(content)) == content
        assert all(store.read(digest(one)) == one for one in others)


@contextmanager
def contents(kind: str) -> Iterator[tuple[ContentStore, AccountContents]]:
    with new_store(kind) as (store, database):
        yield store, AccountContents(database, store)


def put(store: ContentStore, held: AccountContents, account: str, content: bytes) -> None:
    with store.receive(io.BytesIO(content), md5=digest(content), size=len(content)) as received:
        held.add_upload(account, received, t_us=0)


@each
def test_forgetting_an_account_deletes_what_nobody_else_holds(kind: str) -> None:
    with contents(kind) as (store, held):
        for account in ("5001", "5002"):
            put(store, held, account, b"shared")
        put(store, held, "5001", b"mine")
        made = held.add_outputs("5001", [b"%d" % number for number in range(20)], t_us=0)
        held.forget("5001")

        assert not store.has(digest(b"mine"))
        assert not any(store.has(digest(b"%d" % number)) for number in range(len(made)))
        assert store.read(digest(b"shared")) == b"shared"
        assert held.held("5002", [md5_of(b"shared")]) == {md5_of(b"shared")}


@each
def test_a_content_on_its_way_survives_that_another_account_forgets_it(kind: str) -> None:
    with contents(kind) as (store, held):
        put(store, held, "5001", CONTENT)
        with store.receive(io.BytesIO(CONTENT), md5=digest(CONTENT)) as received:
            held.forget("5001")
            held.add_upload("5002", received, t_us=0)

        assert store.read(digest(CONTENT)) == CONTENT
        assert held.held("5002", [md5_of(CONTENT)]) == {md5_of(CONTENT)}


@each
def test_contents_that_come_and_go_in_parallel_are_never_lost(kind: str) -> None:
    with contents(kind) as (store, held):
        start = threading.Barrier(2)

        def come_and_go() -> None:
            start.wait()
            for _ in range(8):
                put(store, held, "5001", CONTENT)
                held.forget("5001")

        def come() -> None:
            start.wait()
            for number in range(8):
                put(store, held, f"6{number:03}", CONTENT)
                assert store.read(digest(CONTENT)) == CONTENT

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(come_and_go), pool.submit(come)]:
                done.result()

        assert store.read(digest(CONTENT)) == CONTENT
