"""The names of contents that arrive together are synced together: who is answered, and after which sync."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_mock.store import durable
from conductor_mock.store.durable import Folders, NewFile
from conductor_mock.store.group_sync import GroupSync
from conductor_mock.store.objects import FOLDER, ObjectStore

PATIENCE_S = 60
LOOKS = 20_000
MOST = 5
"""Threads of one story."""
_numbers = count()


@dataclass
class Disk:
    """Its syncs of a folder, each held until it is let go, among the events of a story."""

    folder: Path
    events: list[tuple[str, int]] = field(default_factory=list)
    fails: set[int] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)
    let_go: int = 0
    begun: int = 0
    ended: int = 0

    def note(self, what: str, number: int) -> None:
        with self.changed:
            self.events.append((what, number))
            self.changed.notify_all()

    def sync(self, path: Path) -> None:
        assert path == self.folder
        with self.changed:
            number = self.begun
            self.begun += 1
            self.note("began", number)
            assert self.changed.wait_for(lambda: self.let_go > number, PATIENCE_S)
            self.ended += 1
            self.note("ended", number)
        if number in self.fails:
            raise OSError(5, f"sync {number}")

    def let_one_go(self) -> None:
        with self.changed:
            self.let_go += 1
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.ended == self.let_go, PATIENCE_S)

    def at(self, what: str, number: int) -> int:
        return self.events.index((what, number))


@contextmanager
def story(store: ObjectStore) -> Iterator[Disk]:
    """A disk whose syncs are held, under a store whose folders are made."""
    disk = Disk(store.root / "objects" / FOLDER)
    name = NewFile.name

    def noted(self: NewFile, target: Path, folders: Folders | None = None) -> None:
        name(self, target, folders)
        disk.note("named", int(target.read_bytes().split()[0]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "fsync_folder", disk.sync)
        patch.setattr(NewFile, "name", noted)
        try:
            yield disk
        finally:
            with disk.changed:
                disk.let_go += 2 * MOST
                disk.changed.notify_all()


def content(number: int) -> bytes:
    return b"%d of %d" % (number, next(_numbers))


def put(store: ObjectStore, disk: Disk, number: int) -> None:
    body = content(number)
    store.put(io.BytesIO(body), md5=hashlib.md5(body).digest(), size=len(body))
    disk.note("answered", number)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    made = ObjectStore(tmp_path_factory.mktemp("store"))
    made.put(io.BytesIO(b"first"), md5=hashlib.md5(b"first").digest(), size=5)
    return made


@settings(max_examples=20)
@given(
    steps=st.lists(st.sampled_from(["come", "let go"]), min_size=1, max_size=2 * MOST),
    fails=st.sets(st.integers(0, MOST)),
)
def test_nobody_is_answered_before_a_sync_that_began_after_its_name_has_ended(
    store: ObjectStore, steps: list[str], fails: set[int]
) -> None:
    """And nobody who was covered by a sync that failed, while whoever came later is not told of it."""
    answers: list[Future[None]] = []
    with ThreadPoolExecutor(2 * MOST) as pool, story(store) as disk:
        disk.fails = fails
        for step in [*steps, *["let go"] * len(steps)]:
            if step == "come":
                answers.append(pool.submit(put, store, disk, len(answers)))
            elif disk.ended < disk.begun:
                disk.let_one_go()
            settle(store, disk, answers)
        assert all(answer.done() for answer in answers)

    syncs = range(disk.begun)
    for number, answer in enumerate(answers):
        named = disk.at("named", number)
        (covering, *_) = [sync for sync in syncs if disk.at("began", sync) > named]
        if covering in fails:
            assert str(answer.exception()) == f"[Errno 5] sync {covering}"
            assert ("answered", number) not in disk.events
        else:
            assert disk.at("ended", covering) < disk.at("answered", number)
    for sync in syncs[1:]:
        assert disk.at("ended", sync - 1) < disk.at("began", sync), "one at a time: the others wait together"


def settle(store: ObjectStore, disk: Disk, answers: list[Future[None]]) -> None:
    """Until a sync is under way, and everybody else waits for the next one; or nobody is left."""
    for _ in range(LOOKS):
        with disk.changed:
            disk.changed.wait(0.002)
            is_held = disk.begun > disk.ended
            named = sum(what == "named" for what, _ in disk.events)
            covered = {number for sync in range(disk.begun) for number in before(disk, sync)}
        waiting = store.folders.waiting(disk.folder)
        if all(answer.done() for answer in answers):
            return
        if is_held and named == len(answers) == len(covered) + waiting and none_late(answers, covered, disk):
            return
    raise AssertionError(disk.events)


def before(disk: Disk, sync: int) -> list[int]:
    """Who had its name when a sync began."""
    return [number for what, number in disk.events[: disk.at("began", sync)] if what == "named"]


def none_late(answers: list[Future[None]], covered: set[int], disk: Disk) -> bool:
    """Whether everybody whose sync has ended is done."""
    over = {number for sync in range(disk.ended) for number in before(disk, sync)}
    return all(answers[number].done() for number in over)


def test_a_sync_that_failed_is_not_tried_again_for_those_it_was_to_cover() -> None:
    """The system tells one failure once: a second sync would say that all is well."""
    began, go_on, tries = threading.Event(), threading.Event(), count()

    def sync() -> None:
        if next(tries) == 1:
            raise OSError(5, "lost")
        began.set()
        assert go_on.wait(PATIENCE_S)

    group = GroupSync(sync)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.wait)
        assert began.wait(PATIENCE_S)
        others = [pool.submit(group.wait) for _ in range(3)]
        while group.waiting < len(others):
            assert not any(other.done() for other in others)
        go_on.set()
        assert first.exception() is None
        assert {str(other.exception()) for other in others} == {"[Errno 5] lost"}
    assert next(tries) == 2
    group.wait()


def test_what_was_stored_in_folders_of_before_is_read_replaced_and_deleted_where_it_lies(
    tmp_path: Path,
) -> None:
    store, body = ObjectStore(tmp_path), b"of before"
    md5 = hashlib.md5(body).digest()
    old = tmp_path / "objects" / md5.hex()[:2] / md5.hex()
    old.parent.mkdir()
    old.write_bytes(body)

    assert store.has(md5)
    assert store.read(md5) == body
    store.put(io.BytesIO(body), md5=md5, size=len(body))
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == [old]
    store.delete(md5)
    assert not store.has(md5)
    store.put(io.BytesIO(body), md5=md5, size=len(body))
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == [
        tmp_path / "objects" / FOLDER / md5.hex()
    ]
