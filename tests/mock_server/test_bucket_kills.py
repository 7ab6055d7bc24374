"""A server that is killed between any two steps of storing into a bucket: nothing acknowledged is lost, or half."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.store import (
    bucket_belonging,
    bucket_objects,
    bucket_parts,
    bucket_sending,
    bucket_sweeper,
)
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.bucket import Location
from conductor_mock.store.bucket_objects import BucketObjects, name_of
from conductor_mock.store.bucket_parts import BucketParts
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.small_contents import SMALL_BYTES
from conductor_mock.store.sweeper import sweep
from conductor_mock.store.table_and_bucket import TableAndBucket
from conductor_mock.wire.md5 import to_base64
from support.durability import Event, Recorder, each_kill, recorded
from support.memory_bucket import Kept, MemoryBucket

ACCOUNT = "5001"
PART = 40_000
"""Bytes of a part, of clients and of what is sent into the bucket."""
SMALL, MEDIUM = b"s" * 100, bytes(range(256)) * (SMALL_BYTES // 256 + 1)
WRITING = ("put", "delete", "copy", "begin_parts", "put_part", "join_parts", "forget_parts")
LOCATION = Location("contents", "")


class StepByStep(MemoryBucket):
    """One whose writing calls are steps, at which a kill can come."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(LOCATION, kept)
        self.recorder = Recorder()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in WRITING:
            return found

        def stepping(*arguments: Any, **named: Any) -> Any:
            self.recorder.happens(Event(name))
            return found(*arguments, **named)

        return stepping


@dataclass
class Server:
    """The parts of a server that has one database and one bucket, which outlive it."""

    folder: Path
    kept: Kept
    database: Database
    store: TableAndBucket
    bucket: StepByStep
    contents: AccountContents = field(init=False)
    parts: BucketParts = field(init=False)

    def __post_init__(self) -> None:
        self.contents = AccountContents(self.database, self.store)
        self.parts = BucketParts(self.database, self.folder, self.store)

    def put(self, content: bytes) -> None:
        """As a client does it in one request."""
        with self.store.receive(io.BytesIO(content), md5=digest(content), size=len(content)) as new:
            self.contents.add_upload(ACCOUNT, new, t_us=1)

    def put_parts(self, content: bytes, answer: Callable[[], None] = lambda: None) -> None:
        """As a client does it that asks what to send, sends it and has it made whole."""
        md5 = to_base64(digest(content))
        upload = self.parts.begin(ACCOUNT, md5=md5, size=len(content), part_size=PART)
        pieces = [content[start : start + PART] for start in range(0, len(content), PART)]
        for number, piece in enumerate(pieces, 1):
            with (
                self.parts.receive(ACCOUNT, upload, number, io.BytesIO(piece)) as part,
                self.parts.turn(upload),
            ):
                self.parts.keep(part)
            answer()
        self.complete(content)

    def complete(self, content: bytes) -> None:
        """The last request of `put_parts`."""
        md5 = to_base64(digest(content))
        upload = self.parts.begin(ACCOUNT, md5=md5, size=len(content), part_size=PART)
        etags = [
            (number, hashlib.md5(content[PART * (number - 1) : PART * number]).hexdigest())
            for number in range(1, upload.count + 1)
        ]
        with self.parts.turn_to_complete(upload):
            whole = self.parts.joined(ACCOUNT, upload, etags)
            with self.store.pass_on(whole, md5=digest(content), size=len(content)) as new:
                self.contents.add_upload(ACCOUNT, new, t_us=1)
            self.parts.forget(ACCOUNT, upload.upload_id)

    def holds(self, content: bytes) -> bool:
        """Whether the account holds it; what is there under its name is whole in any case."""
        if self.store.has(digest(content)):
            assert self.store.read(digest(content)) == content
        held = self.contents.held(ACCOUNT, [to_base64(digest(content))])
        assert not held or self.store.has(digest(content))
        return bool(held)

    def prune(self) -> None:
        sweep(self.database, self.folder)
        sweep_bucket = bucket_sweeper.sweep_bucket
        sweep_bucket(self.database, BucketObjects(self.folder, self.bucket, most_fetched=0), dry_run=False)

    def left(self) -> set[str]:
        """What lies in the bucket, and what was begun there."""
        begun = {name for name, _, _ in self.bucket.begun()}
        return {found.name for found in self.bucket.listed("")} | begun


@contextmanager
def server(folder: Path, kept: Kept) -> Iterator[Server]:
    with Database(of_file(folder / "conductor.db")) as database:
        bucket = StepByStep(kept)
        store = TableAndBucket(folder, bucket, database, most_fetched=0)
        bucket_belonging.join(database, store)
        yield Server(folder, kept, database, store, bucket)


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


@pytest.fixture(autouse=True)
def _small_parts_and_no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_sending, "PART", PART)
    for module, name in (
        (bucket_sweeper, "GRACE_S"),
        (bucket_parts, "GRACE_S"),
        (bucket_objects, "ABANDONED_S"),
    ):
        monkeypatch.setattr(module, name, -1)


STORIES: dict[str, tuple[bytes, int]] = {
    "in the table": (SMALL, PART),
    "at once": (MEDIUM, len(MEDIUM)),
    "in parts": (MEDIUM, PART),
}


def place_of(content: bytes) -> set[str]:
    """What is in the bucket when a content is held, and nothing else."""
    return {bucket_objects.MARK, *([] if len(content) <= SMALL_BYTES else [name_of(digest(content))])}


@pytest.mark.parametrize("prunes_first", [True, False])
@pytest.mark.parametrize("name", STORIES)
def test_after_a_kill_at_any_step_of_a_put_it_is_whole_or_not_there_and_the_next_put_heals(
    name: str, prunes_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, at_once = STORIES[name]
    monkeypatch.setattr(bucket_sending, "PART", at_once)
    kept: dict[Path, Kept] = {}

    def put(folder: Path, kill_at: int | None = None) -> Recorder:
        with server(folder, kept.setdefault(folder, Kept())) as one, recorded(kill_at) as recorder:
            recorder.watch(one.database.engine)
            one.bucket.recorder = recorder
            one.put(content)
            recorder.answer()
        return recorder

    seen = []
    for folder, recorder in each_kill(put, tmp_path):
        with server(folder, kept[folder]) as again:
            seen.append(again.holds(content))
            assert seen[-1] or not recorder.answered
            if prunes_first:
                again.prune()
                assert again.holds(content) == seen[-1]
                assert again.left() == (place_of(content) if seen[-1] else {bucket_objects.MARK})
            again.put(content)
            assert again.holds(content)
            again.prune()
            assert again.holds(content)
            assert again.left() == place_of(content)

    assert set(seen) == {True, False}
    assert seen == sorted(seen), "once it is there it stays"


@pytest.mark.parametrize("prunes_first", [True, False])
def test_after_a_kill_at_any_step_of_an_upload_in_parts_no_acknowledged_part_is_lost_and_it_can_be_made_whole(
    prunes_first: bool, tmp_path: Path
) -> None:
    content = MEDIUM
    kept: dict[Path, Kept] = {}

    def put(folder: Path, kill_at: int | None = None) -> Recorder:
        with server(folder, kept.setdefault(folder, Kept())) as one, recorded(kill_at) as recorder:
            recorder.watch(one.database.engine)
            one.bucket.recorder = recorder
            one.put_parts(content, answer=recorder.answer)
            recorder.answer()
        return recorder

    count = -(-len(content) // PART)
    seen = []
    for folder, recorder in each_kill(put, tmp_path):
        answers = recorder.kinds.count("answer")
        with server(folder, kept[folder]) as again:
            seen.append(again.holds(content))
            assert seen[-1] or answers <= count
            if prunes_first:
                again.prune()
                assert again.holds(content) == seen[-1]
            if answers == count and not seen[-1]:
                again.complete(content)  # all parts were acknowledged, so none is sent again
            else:
                again.put_parts(content)
            assert again.holds(content)
            again.prune()
            assert again.holds(content)
            assert again.left() == place_of(content)

    assert set(seen) == {True, False}
    assert seen == sorted(seen), "once it is there it stays"
