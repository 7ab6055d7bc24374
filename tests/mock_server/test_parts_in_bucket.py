"""Parts of uploads in a bucket, by the rows that mean them: kept, replaced, read, given up and left over."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.bucket import BucketError, Location
from conductor_mock.store.bucket_objects import GRACE_S, BucketObjects
from conductor_mock.store.bucket_parts import BucketParts, SentPart, orphans, parts_in, rows_of_no_use
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.objects import WrongContentError
from conductor_mock.store.parts import Multipart, Parts, PartsError, UnknownUploadError
from conductor_mock.store.tables import MULTIPARTS, PARTS
from conductor_mock.wire.md5 import to_base64
from support.memory_bucket import Kept, MemoryBucket

START_S = 1_700_000_000
WEEK_S = 7 * 24 * 3600
CONTENT = b"eight by eight it comes"
PIECES = [CONTENT[start : start + 8] for start in range(0, len(CONTENT), 8)]
ACCOUNT = "5001"


def md5_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


class Store(MemoryBucket):
    """Notes the bodies that it has handed out."""

    def __init__(self, place: Place) -> None:
        super().__init__(Location("contents", ""), Kept(), now_s=lambda: place.now_s)
        self.handed_out: list[IO[bytes]] = []

    def get(self, name: str, first: int = 0, count: int | None = None) -> IO[bytes]:
        self.handed_out.append(super().get(name, first, count))
        return self.handed_out[-1]

    def names(self) -> list[str]:
        return sorted(self._kept.bodies)


class Place:
    """The parts of one server, whose clocks are set by the test."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.now_s: float = START_S
        self.monotonic_s = 1000.0
        self.folder = folder
        self.database = database
        self.store = Store(self)
        self.objects = BucketObjects(folder, self.store, most_fetched=0)
        self.parts = BucketParts(
            database,
            folder,
            self.objects,
            seconds=lambda: self.now_s,
            monotonic_s=lambda: self.monotonic_s,
        )

    def begin(self, account: str = ACCOUNT, content: bytes = CONTENT) -> Multipart:
        return self.parts.begin(account, md5=to_base64(digest(content)), size=len(content), part_size=8)

    def begin_alike(self, upload: Multipart, account: str) -> None:
        """Let another account have begun an upload of the same id."""
        row = {"md5": upload.md5, "size": upload.size, "part_size": upload.part_size}
        with self.database.write() as connection:
            connection.execute(MULTIPARTS.insert().values(account=account, upload_id=upload.upload_id, **row))

    def put(self, upload: Multipart, number: int, body: bytes | None = None, account: str = ACCOUNT) -> str:
        """Keep a part; its name."""
        body = PIECES[number - 1] if body is None else body
        stream = io.BytesIO(body)
        with self.parts.receive(account, upload, number, stream) as part, self.parts.turn(upload):
            assert part.etag == md5_of(body)
            self.parts.keep(part)
        assert isinstance(part, SentPart)
        return part.name

    def put_in_folder(self, upload: Multipart, number: int) -> None:
        """As servers of before did."""
        before = Parts(self.database, self.folder)
        stream = io.BytesIO(PIECES[number - 1])
        with before.receive(ACCOUNT, upload, number, stream) as part, before.turn(upload):
            before.keep(part)

    def whole(self, upload: Multipart) -> bytes:
        reader = self.parts.joined(
            ACCOUNT, upload, [(number, md5_of(piece)) for number, piece in enumerate(PIECES, 1)]
        )
        return b"".join(iter(reader.read, b""))

    def useless(self) -> dict[tuple[str, str], tuple[int, int]]:
        return rows_of_no_use(self.database, self.now_s)

    def forget_record(self, upload: Multipart, account: str = ACCOUNT) -> None:
        """As a reset does."""
        mine = (MULTIPARTS.c.account == account, MULTIPARTS.c.upload_id == upload.upload_id)
        with self.database.write() as connection:
            connection.execute(MULTIPARTS.delete().where(*mine))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Database(of_file(tmp_path / "conductor.db")) as database:
        yield Place(tmp_path, database)


# Keeping


def test_a_part_has_a_name_of_its_own_and_a_row_that_says_all_of_it(place: Place) -> None:
    upload = place.begin()
    place.now_s += 0.5
    name = place.put(upload, 2)
    begin = f"parts/{ACCOUNT}/{upload.upload_id}/00002-{md5_of(PIECES[1])}-"
    assert name.startswith(begin)
    assert len(name) > len(begin)
    assert place.store.names() == [name]
    assert place.store.get(name).read() == PIECES[1]
    (row,) = parts_in(place.database)
    row.pop("sum")
    assert row == (
        {
            "account": ACCOUNT,
            "upload_id": upload.upload_id,
            "number": 2,
            "etag": md5_of(PIECES[1]),
            "size": 8,
            "name": name,
            "stored_s": START_S,
        }
    )


def test_a_part_that_comes_again_takes_the_place_of_the_first_and_of_no_other(place: Place) -> None:
    upload = place.begin()
    place.put(upload, 1)
    other = place.put(upload, 2)
    for body in (PIECES[0][::-1], PIECES[0], PIECES[0]):
        name = place.put(upload, 1, body)
        assert place.store.names() == sorted([name, other])
        assert {row["name"] for row in parts_in(place.database)} == {name, other}


def test_a_part_that_is_not_kept_or_is_too_long_stays_nowhere(place: Place) -> None:
    upload = place.begin()
    with place.parts.receive(ACCOUNT, upload, 1, io.BytesIO(PIECES[0])) as part:
        assert isinstance(part, SentPart)
        assert place.store.names() == [part.name]
    assert place.store.names() == []
    with pytest.raises(WrongContentError), place.parts.receive(ACCOUNT, upload, 1, io.BytesIO(CONTENT)):
        pytest.fail("it was received")
    assert (place.store.names(), parts_in(place.database)) == ([], [])


def test_a_part_of_an_upload_that_was_forgotten_meanwhile_is_refused(place: Place) -> None:
    upload = place.begin()
    place.forget_record(upload)
    with pytest.raises(UnknownUploadError):
        place.put(upload, 1)
    assert (place.store.names(), parts_in(place.database)) == ([], [])


@pytest.mark.parametrize(("waited_s", "is_late"), [(1800, False), (1801, True)])
def test_a_part_waits_for_its_turn_for_half_an_hour_at_most(
    waited_s: int, is_late: bool, place: Place
) -> None:
    assert waited_s < GRACE_S, "until then no sweeper takes it for nobody's"
    upload = place.begin()
    with place.parts.receive(ACCOUNT, upload, 1, io.BytesIO(PIECES[0])) as part:
        place.monotonic_s += waited_s
        if is_late:
            with pytest.raises(BucketError, match="had to wait for its turn so long"):
                place.parts.keep(part)
        else:
            place.parts.keep(part)
    assert len(place.store.names()) == len(parts_in(place.database)) == (not is_late)


def test_a_part_whose_row_may_have_been_committed_is_not_taken_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise ConnectionError

    upload = place.begin()
    monkeypatch.setattr(place.database, "insert_new", lost)
    with pytest.raises(ConnectionError):
        place.put(upload, 1)
    assert len(place.store.names()) == 1


def test_only_what_the_bucket_has_is_kept(place: Place) -> None:
    upload = place.begin()
    before = Parts(place.database, place.folder)
    with (
        before.receive(ACCOUNT, upload, 1, io.BytesIO(PIECES[0])) as part,
        pytest.raises(TypeError),
    ):
        place.parts.keep(part)
    assert parts_in(place.database) == []


# Reading


def test_the_whole_is_made_of_parts_of_the_bucket_and_of_those_that_lie_in_the_folder_still(
    place: Place,
) -> None:
    upload = place.begin()
    place.put_in_folder(upload, 2)
    for number in (3, 1):
        place.put(upload, number)
    assert place.whole(upload) == CONTENT
    assert [body.closed for body in place.store.handed_out] == [True, True]


def test_a_part_that_never_came_or_is_gone_is_named(place: Place) -> None:
    upload = place.begin()
    names = [place.put(upload, number) for number in (1, 3)]
    with pytest.raises(PartsError, match="part 2 with the ETag"):
        place.whole(upload)
    names.append(place.put(upload, 2))
    place.store.delete(names[1])
    with pytest.raises(PartsError, match="part 3 is gone from the object store: send it again"):
        place.whole(upload)


# Forgetting


def test_the_parts_of_an_upload_are_forgotten_and_those_of_no_other(place: Place) -> None:
    upload, another = place.begin(), place.begin(content=CONTENT[::-1])
    place.put_in_folder(upload, 1)
    for number in (2, 3):
        place.put(upload, number)
    place.begin_alike(upload, "5002")
    theirs = place.put(upload, 1, account="5002")
    mine = place.put(another, 1)
    place.parts.forget(ACCOUNT, upload.upload_id)
    assert {row["name"] for row in parts_in(place.database)} == {theirs, mine}
    assert place.store.names() == sorted([theirs, mine])
    assert not [path for path in (place.folder / "parts").rglob("*") if path.is_file()]


def test_an_upload_that_is_wanted_is_of_use(place: Place) -> None:
    upload = place.begin()
    place.put(upload, 1)
    assert (place.useless(), place.parts.of_no_use()) == ({}, set())
    assert not place.parts.is_given_up(ACCOUNT, upload.upload_id)


def test_an_upload_of_which_no_part_came_for_more_than_a_week_is_given_up(place: Place) -> None:
    upload = place.begin()
    place.put(upload, 1)
    place.now_s += 100
    place.put(upload, 2)
    key = (ACCOUNT, upload.upload_id)
    place.now_s += WEEK_S
    assert (place.parts.is_given_up(*key), place.useless(), place.parts.of_no_use()) == (False, {}, set())
    place.now_s += 1
    assert (place.parts.is_given_up(*key), place.useless()) == (True, {key: (2, 16)})
    assert place.parts.of_no_use() == {key}


def test_an_upload_that_was_forgotten_or_is_whole_is_of_no_use(place: Place) -> None:
    """Whatever another account has of the same name, or of the same content."""
    whole, forgotten, goes_on = place.begin(), place.begin(content=CONTENT[::-1]), place.begin("5002")
    for number in (1, 3):
        place.put(whole, number)
    place.put(forgotten, 1)
    place.put(goes_on, 2, account="5002")
    place.begin_alike(forgotten, "5002")
    place.put(forgotten, 2, account="5002")
    place.forget_record(forgotten)
    with place.objects.receive(io.BytesIO(CONTENT), md5=digest(CONTENT)) as new:
        AccountContents(place.database, place.objects).add_upload(ACCOUNT, new, t_us=0)
    useless = {(ACCOUNT, whole.upload_id): (2, 8 + 7), (ACCOUNT, forgotten.upload_id): (1, 8)}
    assert place.useless() == useless
    assert place.parts.of_no_use() == set(useless)


def test_what_lies_in_the_folder_is_given_up_by_the_same_clock(place: Place) -> None:
    upload = place.begin()
    place.now_s = time.time()
    place.put_in_folder(upload, 1)
    key = (ACCOUNT, upload.upload_id)
    assert (place.parts.of_no_use(), place.parts.is_given_up(*key)) == (set(), False)
    place.now_s += WEEK_S + 60
    assert (place.parts.of_no_use(), place.parts.is_given_up(*key)) == ({key}, True)


def test_without_another_clock_that_of_the_database_is_asked(place: Place) -> None:
    parts = BucketParts(place.database, place.folder, place.objects)
    upload = place.begin()
    with parts.receive(ACCOUNT, upload, 1, io.BytesIO(PIECES[0])) as part, parts.turn(upload):
        parts.keep(part)
    place.put_in_folder(upload, 2)
    assert parts.of_no_use() == set()
    assert not parts.is_given_up(ACCOUNT, upload.upload_id)
    with place.database.write() as connection:
        connection.execute(PARTS.update().values(stored_s=int(time.time()) - WEEK_S - 60))
    assert parts.is_given_up(ACCOUNT, upload.upload_id)
    assert parts.of_no_use() == {(ACCOUNT, upload.upload_id)}


def test_parts_that_have_no_row_for_more_than_an_hour_are_nobodys(place: Place) -> None:
    upload = place.begin()
    kept = place.put(upload, 1)
    for name in ("parts/1/2/first", "parts/1/2/second", "objects/ab/other"):
        place.store.put(name, CONTENT, md5=digest(CONTENT))
    place.now_s += GRACE_S
    assert orphans(place.database, place.objects) == []
    place.now_s += 1
    found = orphans(place.database, place.objects)
    assert [(one.name, one.size) for one in found] == [
        ("parts/1/2/first", len(CONTENT)),
        ("parts/1/2/second", len(CONTENT)),
    ]
    assert place.parts.forget_orphans() == 2
    assert place.store.names() == sorted([kept, "objects/ab/other"])
    assert place.parts.forget_orphans() == 0


def test_a_forgotten_upload_is_of_no_use_whatever_else_its_account_sends(place: Place) -> None:
    forgotten, goes_on = place.begin(), place.begin(content=CONTENT[::-1])
    for upload in (forgotten, goes_on):
        place.put(upload, 1)
    place.forget_record(forgotten)
    assert place.useless() == {(ACCOUNT, forgotten.upload_id): (1, 8)}
