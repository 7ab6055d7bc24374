"""The table of small contents by itself: in any number, beside others, referred to or not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store import small_contents as module
from conductor_mock.store.database import Database
from conductor_mock.store.small_contents import SMALL_BYTES, Small, SmallContents
from conductor_mock.store.tables import ACCOUNT_CONTENTS, LOG, OUTPUTS, SMALL_CONTENTS
from conductor_mock.wire.md5 import to_base64


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


@pytest.fixture
def database() -> Iterator[Database]:
    with Database("sqlite://") as database:
        yield database


def store(database: Database, *contents: bytes) -> SmallContents:
    small = SmallContents(database)
    with database.write() as connection:
        for content in contents:
            small.join(connection, digest(content), content)
    return small


def test_a_content_is_found_by_its_md5_with_the_time_of_its_first_coming(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1234.9)
    small = store(database, b"a", b"b")
    monkeypatch.setattr(time, "time", lambda: 5678.0)
    store(database, b"a")
    assert small.get(digest(b"a")) == Small(digest(b"a"), 1234, b"a")
    assert small.get(digest(b"b")) == Small(digest(b"b"), 1234, b"b")
    assert small.get(digest(b"c")) is None
    assert Small(digest(b"a"), 0, b"a").is_whole is True
    assert Small(digest(b"a"), 0, b"b").is_whole is False
    assert SMALL_BYTES == 65_536, "larger ones are files, in every data directory there is"


def test_one_that_comes_again_is_written_only_where_it_is_damaged(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1.0)
    small = store(database, b"a", b"b")
    damaged = SMALL_CONTENTS.update().where(SMALL_CONTENTS.c.md5 == to_base64(digest(b"a")))
    with database.write() as connection:
        connection.execute(damaged.values(bytes=b"c"))
    monkeypatch.setattr(time, "time", lambda: 2.0)
    store(database, b"a", b"b")
    assert list(small.all()) == [Small(digest(b"a"), 2, b"a"), Small(digest(b"b"), 1, b"b")]
    assert [record.getMessage() for record in caplog.records] == [
        f"the content {to_base64(digest(b'a'))} is damaged in the database; it came again, and replaces that"
    ]


some_contents = st.sets(st.sampled_from([b"", b"a", b"b", b"c", b"ab", b"abc", b"\0", b"\xff" * 9]))
"""Of few, so that two sets have some in common."""


@given(some_contents, some_contents, st.integers(1, 5))
def test_any_number_of_contents_is_listed_looked_for_and_deleted(
    contents: set[bytes], others: set[bytes], at_once: int
) -> None:
    patched = pytest.MonkeyPatch()
    patched.setattr(module, "_CHUNK", at_once)
    with Database("sqlite://") as database:
        small = store(database, *contents)
        assert small.totals() == (len(contents), sum(map(len, contents)))
        assert [(one.md5, one.data) for one in small.all()] == sorted(
            ((digest(one), one) for one in contents), key=lambda pair: to_base64(pair[0])
        )
        wanted = {digest(one) for one in others}
        there = {digest(one) for one in contents & others}
        assert small.those_there(wanted) == there
        assert small.delete(wanted) == len(there)
        assert {one.data for one in small.all()} == contents - others
        assert small.totals() == (len(contents - others), sum(map(len, contents - others)))
        assert small.delete([]) == 0
    patched.undo()


def test_what_no_table_refers_to_is_told_with_its_bytes(database: Database) -> None:
    small = store(database, b"uploaded", b"made", b"logged", b"nobody's", b"")
    row = {"account": "a", "size": 1, "t_us": 0}
    with database.write() as connection:
        for table, content in ((ACCOUNT_CONTENTS, b"uploaded"), (OUTPUTS, b"made"), (OUTPUTS, b"uploaded")):
            connection.execute(table.insert().values(md5=to_base64(digest(content)), **row))
        connection.execute(
            LOG.insert().values(
                account="a", seq=1, t_us=0, kind="k", v=1, json="", body_md5=to_base64(digest(b"logged"))
            )
        )
    assert sorted(small.unreferenced()) == sorted([(digest(b"nobody's"), 8), (digest(b""), 0)])


def test_a_content_that_was_read_is_deleted_alone_and_only_while_it_is_that_one(database: Database) -> None:
    small = store(database, b"one", b"another")
    one = Small(digest(b"one"), 0, b"one")
    assert small.delete_this(Small(one.md5, 0, b"damaged, and stored again since")) is False
    assert small.delete_this(Small(digest(b"two"), 0, b"one")) is False
    assert small.totals() == (2, 10)
    assert (small.delete_this(one), small.delete_this(one)) == (True, False)
    assert [found.data for found in small.all()] == [b"another"]


def test_nothing_is_written_where_nothing_is_deleted(database: Database) -> None:
    commits: list[object] = []
    sa.event.listen(database.engine, "commit", commits.append)
    SmallContents(database).delete([])
    assert commits == []
    with database.read() as connection:
        assert connection.execute(sa.select(SMALL_CONTENTS)).all() == []
