"""Contents in a bucket, whose store is in the memory of this process: how they are named, sent, read, set aside."""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from conductor_mock.store import bucket_sending
from conductor_mock.store.bucket import BucketError, EmptiedBucketError, Found, Location
from conductor_mock.store.bucket_objects import FEW, BucketObjects, name_of
from conductor_mock.store.content_store import BLOCK
from conductor_mock.store.locks import FileLocks
from conductor_mock.store.objects import DamagedContentError, WrongContentError
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock, Shared
from support.memory_bucket import Kept, MemoryBucket

CONTENT = b"the content of a file"
MD5 = hashlib.md5(CONTENT).digest()
SMALL_PART = 8
DAY_S = 24 * 3600.0


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


class Store(MemoryBucket):
    """Notes what it was asked for; some of its words can be turned."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        super().__init__(Location("contents", ""), Kept(), now_s=lambda: self.now_s)
        self.asked: list[str] = []
        self.handed_out: list[IO[bytes]] = []
        self.way: Callable[[bytes], bytes] = lambda body: body
        """What becomes of a body on its way from the store."""
        self.sizes: dict[str, int] = {}
        """The bytes that a name is said to have."""
        self.waiting: Any = None
        self.is_down = False

    def get(self, name: str, first: int = 0, count: int | None = None) -> IO[bytes]:
        self.asked.append(f"get {name}")
        with super().get(name, first, count) as body:
            self.handed_out.append(io.BytesIO(self.way(body.read())))
        return self.handed_out[-1]

    def put(self, name: str, body: bytes, *, md5: bytes, is_new: bool = False) -> str:
        self.asked.append(f"put {name}")
        return super().put(name, body, md5=md5, is_new=is_new)

    def head(self, name: str) -> Found:
        self.asked.append(f"head {name}")
        found = super().head(name)
        return Found(name, self.sizes.get(name, found.size), found.etag, found.modified_s, found.age_s)

    def begin_parts(self, name: str) -> str:
        self.asked.append(f"begin {name}")
        return super().begin_parts(name)

    def wait_by(self, waiting: Any) -> None:
        self.waiting = waiting

    def check(self) -> None:
        if self.is_down:
            raise BucketError("it does not answer")

    def names(self, begin: str = "") -> list[str]:
        return sorted(name for name in self._kept.bodies if name.startswith(begin))

    def lay(self, name: str, content: bytes) -> None:
        """Put something under a name, whatever it is to be."""
        super().put(name, content, md5=digest(content))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def objects(store: Store, tmp_path: Path) -> BucketObjects:
    return BucketObjects(tmp_path, store, most_fetched=1 << 20)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has more than a few bytes is sent in parts."""
    monkeypatch.setattr(bucket_sending, "PART", SMALL_PART)


def keep(objects: BucketObjects, *contents: bytes) -> None:
    for content in contents:
        objects.put(io.BytesIO(content), md5=digest(content), size=len(content))


# Names


def test_contents_lie_below_the_names_that_every_version_gives_them(
    objects: BucketObjects, store: Store
) -> None:
    keep(objects, CONTENT)
    name = MD5.hex()
    assert store.names() == [f"objects/{name[:2]}/{name}"]
    assert objects.has(MD5)
    store.lay(f"objects/{name[:2]}/{name}", b"other")
    with pytest.raises(DamagedContentError):
        objects.read(MD5)
    assert store.names() == [f"damaged/{name}"]
    store.lay("belongs", b"a name")
    assert objects.mark() == "a name"


def test_what_is_named_as_no_content_is_left_out_of_the_listing(objects: BucketObjects, store: Store) -> None:
    keep(objects, CONTENT, b"other")
    name = digest(b"elsewhere").hex()
    for other in ("readme", f"zz/{name}", f"{name}", "ab/abcd", f"{name[:2]}/{name.upper()}", "ab/xyz"):
        store.lay(f"objects/{other}", b"elsewhere")
    listed = {md5: found.size for md5, found in objects.listed()}
    assert listed == {MD5: len(CONTENT), digest(b"other"): 5}


# Here and there


def test_those_that_are_there_are_told_from_those_that_are_not(objects: BucketObjects) -> None:
    keep(objects, CONTENT, b"other")
    asked = [MD5, digest(b"other"), digest(b"none"), MD5]
    assert objects.those_there(asked) == {MD5, digest(b"other")}
    assert [objects.has(md5) for md5 in asked] == [True, True, False, True]


def test_what_is_known_of_a_content_is_its_size_and_the_second_when_it_came(
    objects: BucketObjects, store: Store
) -> None:
    store.now_s = 1234.5
    keep(objects, CONTENT)
    found = objects.look_up(MD5)
    assert (found.size, found.modified_s) == (len(CONTENT), 1234)
    with found.open() as body:
        assert body.read() == CONTENT
    with found.open_part(4, 7) as part:
        assert part.read() == b"content"
    with pytest.raises(FileNotFoundError):
        objects.look_up(digest(b"none"))


def test_a_few_contents_are_looked_at_and_of_more_the_rows_are_believed_but_for_what_is_damaged(
    objects: BucketObjects, store: Store
) -> None:
    contents = [b"%d" % number for number in range(FEW + 1)]
    keep(objects, *contents)
    md5s = [digest(content) for content in contents]
    store.delete(name_of(md5s[0]))
    assert objects.still_there(md5s[:FEW]) == set(md5s[1:FEW])
    assert objects.still_there(md5s) == set(md5s)
    store.lay(f"damaged/{md5s[0].hex()}", b"odd")
    store.lay(f"damaged/{md5s[1].hex()}", b"came again since")
    store.lay("damaged/readme", b"of people")
    store.asked.clear()
    assert objects.still_there(md5s) == set(md5s[1:])
    asked = {one for one in store.asked if one.startswith("head objects/")}
    assert asked == {f"head {name_of(md5)}" for md5 in md5s[:2]}


def test_nobody_is_told_to_wait_where_nothing_is_asked(objects: BucketObjects) -> None:
    told: list[str] = []
    assert objects.still_there([], lambda: told.append("wait")) == set()
    assert told == []
    keep(objects, CONTENT)
    assert objects.still_there([MD5], lambda: told.append("wait")) == {MD5}
    assert told == ["wait"]


# A bucket that is not the one it was


@pytest.mark.parametrize("mark", [None, b"another name", b"\xff"])
def test_in_a_bucket_that_is_not_the_one_it_was_nothing_is_missing(
    mark: bytes | None, objects: BucketObjects, store: Store
) -> None:
    objects.belongs_to = "a name"
    if mark is not None:
        store.lay("belongs", mark)
    many = [digest(b"%d" % number) for number in range(FEW + 1)]
    asks: list[Callable[[], object]] = [
        lambda: objects.has(MD5),
        lambda: objects.those_there([MD5]),
        lambda: objects.still_there([MD5]),
        lambda: objects.still_there(many),
        lambda: objects.look_up(MD5),
        lambda: objects.open(MD5),
        lambda: objects.open_part(MD5, 0, 1),
        objects.check,
        objects.check_mark,
    ]
    for ask in asks:
        with pytest.raises(EmptiedBucketError, match="has no file 'belongs' of its database any more"):
            ask()


def test_in_the_bucket_that_it_was_what_is_missing_is_so(objects: BucketObjects, store: Store) -> None:
    objects.belongs_to = "a name"
    store.lay("belongs", b"a name")
    objects.check()
    assert not objects.has(MD5)
    for ask in (objects.look_up, objects.open, lambda md5: objects.open_part(md5, 0, 1)):
        with pytest.raises(FileNotFoundError):
            ask(MD5)
    store.is_down = True
    with pytest.raises(BucketError, match="does not answer"):
        objects.check()


def test_nobody_looks_for_a_mark_before_it_is_known(objects: BucketObjects, store: Store) -> None:
    objects.check()
    assert not objects.has(MD5)
    assert [one for one in store.asked if one.endswith("belongs")] == []
    assert objects.mark() is None


def test_the_mark_is_closed_once_it_was_read(objects: BucketObjects, store: Store) -> None:
    store.lay("belongs", b"a name")
    objects.mark()
    assert [body.closed for body in store.handed_out] == [True]


def test_threads_wait_for_the_store_as_they_are_told_to(objects: BucketObjects, store: Store) -> None:
    objects.wait_by(nullcontext)
    assert store.waiting is nullcontext


# Reading


def test_a_content_is_read_to_its_end_in_any_steps_and_closed_with_its_body(
    objects: BucketObjects, store: Store
) -> None:
    large = CONTENT * (BLOCK // 10)
    keep(objects, large)
    body: Any = objects.open(digest(large))
    assert body.raw.readinto(bytearray()) == 0, "whoever asks for nothing is not at the end"
    assert body.read(7) == large[:7]
    assert body.read() == large[7:]
    assert body.read() == b""
    body.close()
    assert (body.closed, store.handed_out[-1].closed) == (True, True)
    assert objects.is_whole(digest(large)) is True
    assert objects.is_whole(MD5) is False


def test_a_damaged_content_is_found_at_its_end_set_aside_and_said_in_the_log(
    objects: BucketObjects, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keep(objects, CONTENT)
    store.lay(name_of(MD5), CONTENT + b"!")
    assert objects.is_whole(MD5) is False
    body = objects.open(MD5)
    assert body.read(len(CONTENT)) == CONTENT
    with caplog.at_level(logging.ERROR), pytest.raises(DamagedContentError):
        body.read()
    assert f"is damaged and is set aside as damaged/{MD5.hex()} in the bucket" in caplog.text
    assert store.names() == [f"damaged/{MD5.hex()}"]
    assert super(Store, store).get(f"damaged/{MD5.hex()}").read() == CONTENT + b"!"


def test_what_becomes_something_else_on_its_way_is_no_damage(objects: BucketObjects, store: Store) -> None:
    keep(objects, CONTENT)
    store.way = lambda body: body + b"!"
    with pytest.raises(BucketError, match="sent other bytes than it holds"):
        objects.read(MD5)
    assert store.names() == [name_of(MD5)]


def test_a_damaged_content_that_somebody_else_has_set_aside_meanwhile_is_damaged(
    objects: BucketObjects, store: Store
) -> None:
    store.lay(name_of(MD5), b"other")
    body = objects.open(MD5)
    store.delete(name_of(MD5))
    with pytest.raises(DamagedContentError):
        body.read()
    objects.set_aside(MD5)
    assert store.names() == []


@pytest.mark.parametrize(("size", "is_copied"), [(5 * 1024**3, True), (5 * 1024**3 + 1, False)])
def test_a_damaged_content_that_is_larger_than_s3_copies_leaves_its_name_alone(
    size: int, is_copied: bool, objects: BucketObjects, store: Store
) -> None:
    store.lay(name_of(MD5), b"other")
    store.sizes[name_of(MD5)] = size
    objects.set_aside(MD5)
    assert store.names() == [f"damaged/{MD5.hex()}"]
    assert store.get(f"damaged/{MD5.hex()}").read() == (b"other" if is_copied else b"")


def test_a_content_that_tasks_need_is_fetched_once(
    objects: BucketObjects, store: Store, tmp_path: Path
) -> None:
    keep(objects, CONTENT)
    for _ in range(2):
        with objects.open_checked(MD5) as file:
            assert file.read() == CONTENT
    assert store.asked.count(f"get {name_of(MD5)}") == 1
    assert [path.read_bytes() for path in (tmp_path / "fetched").iterdir()] == [CONTENT]
    with pytest.raises(FileNotFoundError):
        objects.open_checked(digest(b"none"))


# Writing


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [0, 1, SMALL_PART, SMALL_PART + 1, 3 * SMALL_PART + 1])
@pytest.mark.parametrize("way", ["receive", "pass_on"])
def test_a_content_is_sent_at_once_up_to_the_size_of_a_part_and_in_parts_above(
    way: str, size: int, objects: BucketObjects, store: Store
) -> None:
    content = CONTENT * 9
    content = content[:size]
    take = objects.pass_on if way == "pass_on" else objects.receive
    with take(io.BytesIO(content), md5=digest(content), size=size) as new:
        assert (new.md5, new.size) == (digest(content), size)
        assert not objects.has(new.md5), "it has no name before it is placed"
        with new.placed():
            assert objects.has(new.md5)
    assert objects.read(digest(content)) == content
    names = [one for one in store.asked if one.startswith(("put", "begin"))]
    assert names == [f"{'put' if size <= SMALL_PART else 'begin'} {name_of(digest(content))}"]
    assert list(store.begun()) == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("sizes", [[], [1], [8], [9], [1, 2], [1, 2, 3, 9, 20], [9, 10]])
def test_contents_that_are_placed_together_are_all_there_and_no_other(
    sizes: list[int], objects: BucketObjects, store: Store
) -> None:
    contents = [(CONTENT * 9)[:size] for size in sizes]
    with ExitStack() as written:
        new = [written.enter_context(objects.write([content])) for content in contents]
        with objects.placed_together(new):
            there = {md5 for md5, _ in objects.listed()}
        assert there == {digest(content) for content in contents}
    assert all(objects.read(digest(content)) == content for content in contents)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("way", ["receive", "pass_on"])
@pytest.mark.parametrize("content", [b"small", CONTENT])
def test_nobody_deletes_while_a_content_is_placed(content: bytes, way: str, objects: BucketObjects) -> None:
    deleted = threading.Event()

    def delete() -> None:
        with objects.lock.alone():
            objects.delete(digest(content))
        deleted.set()

    take = objects.pass_on if way == "pass_on" else objects.receive
    deleting = threading.Thread(target=delete)
    with take(io.BytesIO(content), md5=digest(content), size=len(content)) as new, new.placed():
        deleting.start()
        while not objects.lock.waiting:
            assert not deleted.is_set()
        assert objects.has(new.md5)
    deleting.join()
    assert not objects.has(digest(content))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("content", [b"small", CONTENT])
@pytest.mark.parametrize("way", ["receive", "pass_on"])
def test_of_a_content_that_is_another_or_is_not_placed_nothing_stays(
    way: str, content: bytes, objects: BucketObjects, store: Store, tmp_path: Path
) -> None:
    take = objects.pass_on if way == "pass_on" else objects.receive
    with take(io.BytesIO(content), md5=digest(content), size=len(content)):
        pass
    flipped = bytes([content[0] ^ 1]) + content[1:]
    with (
        pytest.raises(WrongContentError),
        take(io.BytesIO(flipped), md5=digest(content), size=len(content)),
    ):
        pytest.fail("it was taken")
    assert (store.names(), list(store.begun())) == ([], [])
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_disk_that_refuses_a_content_does_so_before_it_is_placed(
    objects: BucketObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []
    monkeypatch.setattr(objects, "scratch", partial(open, "/dev/full", "r+b", buffering=BLOCK))
    with pytest.raises(OSError, match="No space left"), objects.write([CONTENT]) as new:
        taken.append(new.md5)
    assert taken == []


# Taking away


def test_contents_are_taken_away_one_by_one_or_together(objects: BucketObjects, store: Store) -> None:
    contents = [b"%d" % number for number in range(5)]
    keep(objects, *contents)
    objects.delete(digest(b"0"))
    assert store.names() == sorted(name_of(digest(content)) for content in contents[1:])
    objects.delete_all([digest(content) for content in contents[:4]])
    assert store.names() == [name_of(digest(b"4"))]


def test_bodies_that_were_begun_more_than_a_day_ago_are_given_up(
    objects: BucketObjects, store: Store
) -> None:
    for name in ("objects/a", "objects/b", "parts/c"):
        store.begin_parts(name)
    store.now_s += DAY_S
    store.begin_parts("objects/d")
    assert objects.forget_abandoned() == 0
    store.now_s += 1
    assert objects.forget_abandoned() == 2
    assert [name for name, _, _ in store.begun()] == ["parts/c", "objects/d"]


def test_bodies_that_another_server_gives_up_at_the_same_time_are_not_counted(
    objects: BucketObjects, store: Store
) -> None:
    store.begin_parts("objects/a")
    store.begin_parts("objects/b")
    store.now_s += DAY_S + 1
    begun = list(store.begun())
    store.forget_parts(*begun[0][:2])
    store.begun = lambda: iter(begun)  # type: ignore[method-assign]
    assert objects.forget_abandoned() == 1


# What servers share


@contextmanager
def shared(folder: Path, *, is_first: bool) -> Iterator[Shared]:
    locks = FileLocks(folder / "locks")
    yield Shared(locks, is_first)
    locks.close()


def leftover(folder: Path) -> Path:
    (folder / "incoming").mkdir(exist_ok=True)
    path = folder / "incoming/left"
    path.write_bytes(CONTENT)
    return path


def test_what_a_crash_left_is_removed_by_whoever_has_the_folder_alone(store: Store, tmp_path: Path) -> None:
    left = leftover(tmp_path)
    with shared(tmp_path, is_first=False) as with_others:
        objects = BucketObjects(tmp_path, store, most_fetched=0, shared=with_others)
        assert isinstance(objects.lock, OutsideReadWriteLock)
        assert left.exists(), "it may be on its way at another server"
    with shared(tmp_path, is_first=True) as with_others:
        BucketObjects(tmp_path, store, most_fetched=0, shared=with_others)
        assert not left.exists()
    left = leftover(tmp_path)
    objects = BucketObjects(tmp_path, store, most_fetched=0)
    assert isinstance(objects.lock, ReadWriteLock)
    assert not left.exists()
    assert objects.root == tmp_path
