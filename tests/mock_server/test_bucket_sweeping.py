"""What a sweep takes out of a bucket: old things that nothing refers to, and nothing else."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.bucket import Location
from conductor_mock.store.bucket_belonging import join
from conductor_mock.store.bucket_objects import ABANDONED_S, GRACE_S, BucketObjects, name_of
from conductor_mock.store.bucket_parts import BucketParts
from conductor_mock.store.bucket_sweeper import sweep_bucket, unreferenced_in
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError, of_file
from conductor_mock.store.sweeper import Swept
from conductor_mock.wire.md5 import to_base64
from support.memory_bucket import Kept, MemoryBucket

START_S = 1_700_000_000.0
WANTED, NOBODYS, SECOND = b"wanted", b"nobody's", b"and another one"


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


class Place:
    """A database and the bucket that it has, whose clock is set by the test."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.now_s = START_S
        self.database = database
        self.bucket = MemoryBucket(Location("contents", ""), Kept(), now_s=lambda: self.now_s)
        self.objects = BucketObjects(folder, self.bucket, most_fetched=0)
        join(database, self.objects)

    def put(self, *contents: bytes) -> None:
        for content in contents:
            self.objects.put(io.BytesIO(content), md5=digest(content), size=len(content))

    def keep(self, content: bytes) -> None:
        with self.objects.receive(io.BytesIO(content), md5=digest(content)) as new:
            AccountContents(self.database, self.objects).add_upload("5001", new, t_us=0)

    def put_parts(self, content: bytes, part_size: int) -> str:
        """All parts of an upload; its id."""
        parts = BucketParts(self.database, self.objects.root, self.objects)
        upload = parts.begin("5001", md5=to_base64(digest(content)), size=len(content), part_size=part_size)
        for number, start in enumerate(range(0, len(content), part_size), 1):
            piece = io.BytesIO(content[start : start + part_size])
            with parts.receive("5001", upload, number, piece) as part, parts.turn(upload):
                parts.keep(part)
        return upload.upload_id

    def names(self, begin: str) -> list[str]:
        return [found.name for found in self.bucket.listed(begin)]

    def sweep(self, *, dry_run: bool = False) -> Swept:
        return sweep_bucket(self.database, self.objects, dry_run=dry_run)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Database(of_file(tmp_path / "conductor.db")) as database:
        yield Place(tmp_path, database)


def test_what_is_old_and_what_nothing_refers_to_is_taken_away(place: Place) -> None:
    place.keep(WANTED)
    place.put(NOBODYS, SECOND)
    place.now_s += GRACE_S
    assert list(unreferenced_in(place.database, place.objects)) == []
    assert place.sweep() == Swept(), "what has been there for just so long may have its row on the way"
    place.now_s += 1
    assert {md5 for md5, _ in unreferenced_in(place.database, place.objects)} == {
        digest(NOBODYS),
        digest(SECOND),
    }
    assert place.sweep() == Swept(contents=2, content_bytes=len(NOBODYS) + len(SECOND))
    assert place.names("objects/") == [name_of(digest(WANTED))]
    assert place.sweep() == Swept()


def test_parts_that_nobody_will_make_whole_are_taken_away_and_counted(place: Place) -> None:
    """Of an upload that is whole by now, those without a row, and of one that goes on."""
    place.put_parts(WANTED, 3)
    place.keep(WANTED)
    goes_on = place.put_parts(SECOND, 8)
    for name in ("parts/1/2/nobodys", "parts/1/2/nobodys-too", "parts/1/3/third"):
        place.bucket.put(name, NOBODYS, md5=digest(NOBODYS))
    place.now_s += GRACE_S + 1
    useless = Swept(parts=2 + 3, part_bytes=len(WANTED) + 3 * len(NOBODYS))
    before = place.names("")
    assert place.sweep(dry_run=True) == useless
    assert place.names("") == before
    assert place.sweep() == useless
    assert [name.split("/")[2] for name in place.names("parts/")] == [goes_on, goes_on]
    assert place.sweep() == Swept()


def test_a_dry_run_counts_and_takes_nothing_away(place: Place) -> None:
    place.put(NOBODYS)
    place.bucket.begin_parts(name_of(digest(SECOND)))
    place.now_s += ABANDONED_S + 1
    before = place.names("")
    assert place.sweep(dry_run=True) == Swept(contents=1, content_bytes=len(NOBODYS))
    assert (place.names(""), len(list(place.bucket.begun()))) == (before, 1)
    assert place.sweep() == Swept(contents=1, content_bytes=len(NOBODYS))
    assert (place.names("objects/"), list(place.bucket.begun())) == ([], [])


def test_the_bucket_of_another_database_is_not_swept(place: Place, tmp_path: Path) -> None:
    place.put(NOBODYS)
    place.now_s += GRACE_S + 1
    with Database(of_file(tmp_path / "other.db")) as other:
        for dry_run in (True, False):
            with pytest.raises(DatabaseError, match="was not used with"):
                sweep_bucket(other, place.objects, dry_run=dry_run)
    assert place.objects.has(digest(NOBODYS))
