"""Whose a bucket's prefix is: of the one database that it was used with first, and of all that serve that."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.bucket import Location
from conductor_mock.store.bucket_belonging import check_belongs, check_local, forget_bucket, join
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError, of_file
from conductor_mock.store.table_and_files import TableAndFiles
from conductor_mock.store.tables import META
from support.memory_bucket import Kept, MemoryBucket

SMALL, LARGE = b"small", b"x" * 500_000


class Places:
    """Databases and prefixes in one folder, each by its name."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder = folder
        self._opened = opened
        self._kept: dict[str, Kept] = {}

    def database(self, name: str = "one") -> Database:
        """One more server's."""
        return self._opened.enter_context(Database(of_file(self._folder / f"{name}.db"), shared=True))

    def objects(self, prefix: str = "farm/") -> BucketObjects:
        """The contents of one more server."""
        kept = self._kept.setdefault(prefix, Kept())
        return BucketObjects(self._folder, MemoryBucket(Location("contents", prefix), kept), most_fetched=0)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    with ExitStack() as opened:
        yield Places(tmp_path, opened)


def rows(database: Database) -> dict[str, str]:
    with database.read() as connection:
        those = META.c.name.like("objects%")
        return {row.name: row.value for row in connection.execute(sa.select(META).where(those))}


def keep(database: Database, folder: Path, *contents: bytes) -> None:
    """Contents of an account in the data directory of a server without a bucket."""
    store = TableAndFiles(folder, database)
    for content in contents:
        with store.receive(io.BytesIO(content), md5=hashlib.md5(content).digest()) as new:
            AccountContents(database, store).add_upload("5001", new, t_us=0)


def test_the_first_database_claims_a_prefix_and_its_servers_have_it_from_then_on(places: Places) -> None:
    database, objects = places.database(), places.objects()
    assert places.objects().belongs_to is None
    join(database, objects)
    name = objects.belongs_to
    assert name is not None
    assert rows(database) == {"objects": name, "objects/claimed": name}
    assert objects.bucket.get("belongs").read() == name.encode()
    check_belongs(database, objects)
    another = places.objects()
    join(places.database(), another)
    assert another.belongs_to == name


def test_a_place_of_an_earlier_version_is_known_again(places: Places) -> None:
    database, objects = places.database(), places.objects()
    with database.write() as connection:
        for row in ("objects", "objects/claimed"):
            connection.execute(META.insert().values(name=row, value="a name"))
    objects.bucket.put("belongs", b"a name", md5=hashlib.md5(b"a name").digest())
    join(database, objects)
    assert objects.belongs_to == "a name"


def test_a_prefix_of_another_database_is_refused_and_stays_its_own(places: Places) -> None:
    join(places.database(), places.objects())
    other, objects = places.database("other"), places.objects()
    before = objects.mark()
    for refused in (join, check_belongs):
        with pytest.raises(DatabaseError, match=r"was not used with .*other\.db, but with another database"):
            refused(other, objects)
    assert (objects.mark(), objects.belongs_to) == (before, None)
    assert "objects/claimed" not in rows(other)


def test_a_prefix_that_nobody_has_claimed_belongs_to_no_database(places: Places) -> None:
    database = places.database()
    with pytest.raises(DatabaseError, match="was not used with"):
        check_belongs(database, places.objects())
    assert rows(database) == {}


def test_a_prefix_that_lost_its_mark_is_not_claimed_anew(places: Places) -> None:
    database, objects = places.database(), places.objects()
    join(database, objects)
    objects.bucket.delete("belongs")
    for lost in (objects, places.objects("elsewhere/")):
        with pytest.raises(DatabaseError, match="has no file 'belongs': it is another place"):
            join(database, lost)
        assert lost.mark() is None


# Others who come at the same moment


@contextmanager
def just_before(
    where: object, name: str, others: Callable[[], None], patch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let something be done just before a method is called for the first time."""
    method = getattr(where, name)
    done: list[bool] = []

    def called(*given: object, **options: object) -> object:
        if not done:
            done.append(True)
            others()
        return method(*given, **options)

    with patch.context() as patched:
        patched.setattr(where, name, called)
        yield
    assert done


@pytest.mark.parametrize("who", ["one", "other"])
def test_of_two_that_claim_a_prefix_at_once_the_quicker_has_it(
    who: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = places.database("one"), places.database(who)
    slower, quicker = places.objects(), places.objects()
    with just_before(slower.bucket, "put", lambda: join(second, quicker), monkeypatch):
        if who == "one":
            join(first, slower)
        else:
            with pytest.raises(DatabaseError, match="was not used with"):
                join(first, slower)
    assert quicker.mark() == quicker.belongs_to is not None
    assert slower.belongs_to == (quicker.belongs_to if who == "one" else None)


def test_of_two_servers_that_name_their_database_at_once_both_go_by_the_name_that_was_noted(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = places.database(), places.database()
    slower, quicker = places.objects(), places.objects()
    with just_before(first, "write", lambda: join(second, quicker), monkeypatch):
        join(first, slower)
    assert slower.belongs_to == quicker.belongs_to == rows(first)["objects"]


def test_whoever_was_stopped_after_any_step_of_a_claim_is_no_stranger(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, objects = places.database(), places.objects()

    def stopped() -> None:
        raise KeyboardInterrupt

    for where, name in ((objects.bucket, "put"), (objects, "mark")):
        with pytest.raises(KeyboardInterrupt), just_before(where, name, stopped, monkeypatch):
            join(database, objects)
        assert "objects/claimed" not in rows(database)
    join(database, objects)
    check_belongs(database, objects)


# Contents that lie elsewhere


def test_a_database_whose_contents_lie_in_a_bucket_does_not_go_on_without_it(places: Places) -> None:
    new = places.database()
    check_local(new)
    join(new, places.objects())
    again = places.database()
    with pytest.raises(DatabaseError, match="lie in a bucket: give its --objects"):
        check_local(again)
    forget_bucket(again)
    check_local(again)
    assert rows(again) == {}


def test_a_database_without_a_bucket_goes_on_without_one(places: Places) -> None:
    places.database()
    check_local(places.database())


def test_a_database_that_refers_to_contents_of_its_directory_gets_no_bucket_without_them(
    places: Places, tmp_path: Path
) -> None:
    database, objects = places.database(), places.objects()
    keep(database, tmp_path / "data", SMALL)
    join(database, objects)
    forget_bucket(database)
    objects.bucket.delete("belongs")
    objects = places.objects()
    keep(database, tmp_path / "data", LARGE)
    with pytest.raises(DatabaseError, match="its data directory has them"):
        join(database, objects)
    assert objects.mark() is None
    objects.put(io.BytesIO(LARGE), md5=hashlib.md5(LARGE).digest(), size=len(LARGE))
    join(database, objects)
