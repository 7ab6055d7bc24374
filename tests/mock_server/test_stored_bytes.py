"""How much accounts store: counted along, counted again before anybody is refused, and reserved while it is stored."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conductor_mock.settings import Quotas
from conductor_mock.store import quotas as module
from conductor_mock.store.database import Database
from conductor_mock.store.quotas import FASTEST, NewBytes, QuotaError, StoredBytes, check_count
from conductor_mock.store.tables import ACCOUNT_CONTENTS, OUTPUTS, PARTS
from support.guarded import untouched_without


class Counting:
    """What accounts store, in a database and a folder; each question to the database takes a second."""

    def __init__(
        self, database: Database, parts: Path, *, own: int = 100, of_all: int = 1000, shared: bool = False
    ) -> None:
        self.database = database
        self.now_s = 1000.0
        self.queries = 0
        self.bytes = StoredBytes(
            database,
            parts,
            Quotas(account_bytes=own, bytes=of_all),
            is_shared=shared,
            seconds=lambda: self.now_s,
        )
        sa.event.listen(database.engine, "before_cursor_execute", self._asked)

    def _asked(self, *what: Any) -> None:
        if what[2].startswith("SELECT sum"):
            self.queries += 1
            self.now_s += 1

    def row(self, account: str, md5: str, size: int, table: sa.Table = ACCOUNT_CONTENTS) -> None:
        with self.database.write() as connection:
            values: dict[str, Any] = {"account": account, "size": size}
            if table is PARTS:
                values |= {"upload_id": md5, "number": 1, "etag": "", "name": "", "stored_s": 0}
            else:
                values |= {"md5": md5, "t_us": 0}
            connection.execute(table.insert().values(**values))

    def room(self, account: str = "a", most: int = 2000) -> int:
        """How many bytes more it may store, as it says."""
        low, high = -1, most
        while low < high:
            middle = (low + high + 1) // 2
            try:
                self.bytes.room_for(account, middle)
                low = middle
            except QuotaError:
                high = middle - 1
        return low


@pytest.fixture
def database() -> Iterator[Database]:
    with Database("sqlite://") as database:
        yield database


def test_one_more_is_refused_where_there_are_as_many_as_may_be() -> None:
    check_count("there are", 1, 2, "--most", remedy="remove one")
    with pytest.raises(QuotaError) as refused:
        check_count("there are", 2_000, 2_000, "--most", remedy="remove one")
    assert str(refused.value) == (
        "there are 2,000, and 2,000 is all there may be: remove one, or start the server with a larger --most"
    )
    assert refused.value.errno == errno.EDQUOT
    assert refused.value.args == (errno.EDQUOT, str(refused.value))


def test_all_that_an_account_stores_is_counted_wherever_it_lies(database: Database, tmp_path: Path) -> None:
    for account, size in (("a", 7), ("b", 5)):
        (tmp_path / account / "upload").mkdir(parents=True)
        (tmp_path / account / "upload" / "part").write_bytes(b"x" * size)
        (tmp_path / account / "part").write_bytes(b"x")
    counting = Counting(database, tmp_path, of_all=200)
    for table in (ACCOUNT_CONTENTS, OUTPUTS, PARTS):
        counting.row("a", "m", 10, table)
        counting.row("b", "n", 20, table)
    assert counting.room("a") == 100 - 38
    assert counting.room("b") == 100 - 66
    assert counting.room("c") == 200 - 38 - 66


@pytest.mark.parametrize(
    ("own", "of_all", "size", "told"),
    [
        (60, 1000, 11, "the account stores 50 bytes, and with 11 more it would go beyond the 60 that it may"),
        (60, 60, 10, "the server stores 55 bytes, and with 10 more it would go beyond the 60 that it may"),
    ],
)
def test_what_is_refused_says_which_limit_it_is(
    own: int, of_all: int, size: int, told: str, database: Database, tmp_path: Path
) -> None:
    counting = Counting(database, tmp_path, own=own, of_all=of_all)
    counting.row("a", "m", 50)
    counting.row("b", "n", 5)
    with pytest.raises(QuotaError, match=told):
        counting.bytes.room_for("a", size)
    with pytest.raises(QuotaError, match=told), counting.bytes.reserve("a", [NewBytes(size)]):
        pytest.fail("there is no room")
    counting.bytes.room_for("a", min(5, size - 1))


def test_what_is_being_stored_is_counted_as_if_it_were_there(database: Database, tmp_path: Path) -> None:
    counting = Counting(database, tmp_path)
    touched = untouched_without(counting.bytes, "_guard", "_reserved", "_of", "_all")
    wanted = [NewBytes(10), NewBytes(10), NewBytes(5, (ACCOUNT_CONTENTS, "m")), NewBytes(5, (OUTPUTS, "m"))]
    with counting.bytes.reserve("a", wanted):
        assert counting.room() == 70
        assert counting.room("b") == 100
        counting.row("a", "m", 5)
        counting.row("a", "n", 7)
        counting.bytes.forget("a")
        assert counting.room() == 63, "a row of it is not counted twice, others are"
    assert counting.room() == 88, "what was not stored is not there"
    assert touched == []


def test_what_one_account_is_about_to_store_is_no_room_for_another(
    database: Database, tmp_path: Path
) -> None:
    counting = Counting(database, tmp_path, of_all=100)
    with counting.bytes.reserve("b", [NewBytes(30)]), counting.bytes.reserve("c", [NewBytes(25)]):
        assert counting.room("a") == 45
        with pytest.raises(QuotaError, match="the server stores 55 bytes"):
            counting.bytes.room_for("a", 46)


def test_what_was_stored_is_counted_along_without_asking(database: Database, tmp_path: Path) -> None:
    counting = Counting(database, tmp_path, of_all=100)
    counting.bytes.room_for("a", 1)
    asked = counting.queries
    assert asked == 6, "three tables, for the account and for all"
    for size in (30, 20):
        with counting.bytes.reserve("a", [NewBytes(size)]):
            counting.bytes.room_for("a", 50)
    assert counting.queries == asked
    assert (counting.bytes._of, counting.bytes._all) == ({"a": 50}, 50)
    with counting.bytes.reserve("b", [NewBytes(10)]):
        pass
    assert (counting.bytes._of, counting.bytes._all) == ({"a": 50, "b": 10}, 60)
    assert counting.room() == 100, "it is counted again before anybody is refused"


def test_what_was_not_stored_is_given_back_and_counted_again(database: Database, tmp_path: Path) -> None:
    counting = Counting(database, tmp_path)
    counting.bytes.room_for("a", 1)
    with pytest.raises(ZeroDivisionError), counting.bytes.reserve("a", [NewBytes(60)]):
        counting.row("a", "m", 8 // (counting.queries - 6))  # nothing is there, or some of it
    counting.row("a", "m", 8)
    assert counting.bytes._reserved == {}
    assert (counting.bytes._of, counting.bytes._all) == ({}, None)
    assert counting.room() == 92


def test_what_was_forgotten_meanwhile_is_counted_again(database: Database, tmp_path: Path) -> None:
    counting = Counting(database, tmp_path)
    for forgotten in ("a", "b"):
        counting.bytes.room_for("a", 1)
        with counting.bytes.reserve("a", [NewBytes(10)]):
            counting.bytes.forget(forgotten)
        assert (counting.bytes._of, counting.bytes._all) == ({}, None)
    counting.bytes.room_for("a", 1)
    with counting.bytes.reserve("a", [NewBytes(10)]):
        counting.bytes.forget("a")
        counting.bytes.room_for("b", 1)
    assert (counting.bytes._of, counting.bytes._all) == ({"b": 0}, None)


@pytest.mark.parametrize("outcomes", [(True, True), (True, False), (False, True), (False, False)])
def test_the_same_content_of_several_is_reserved_once_until_the_last_is_done(
    outcomes: tuple[bool, bool], database: Database, tmp_path: Path
) -> None:
    counting = Counting(database, tmp_path, own=60)
    counting.bytes.room_for("a", 1)
    wanted = [NewBytes(40, (ACCOUNT_CONTENTS, "m"))]
    first, second = (counting.bytes.reserve("a", wanted) for _ in range(2))
    first.__enter__()
    second.__enter__()

    def leave(context: Any, is_stored: bool) -> None:
        if is_stored:
            context.__exit__(None, None, None)
        else:
            assert not context.__exit__(ZeroDivisionError, ZeroDivisionError(), None)

    leave(first, outcomes[0])
    assert len(counting.bytes._reserved) == 1
    counting.bytes.room_for("a", 20)
    with pytest.raises(QuotaError):
        counting.bytes.room_for("a", 21)
    leave(second, outcomes[1])
    assert counting.bytes._reserved == {}
    assert counting.bytes._of == ({"a": 40} if any(outcomes) else {})


@pytest.mark.parametrize("shared", [True, False])
def test_where_others_store_too_it_is_counted_again_after_a_while(
    shared: bool, database: Database, tmp_path: Path
) -> None:
    counting = Counting(database, tmp_path, shared=shared)
    began_s = counting.now_s
    counting.bytes.room_for("a", 1)
    assert counting.queries == 6
    counting.row("a", "m", 40)
    old_s = began_s + 3 + 3 * 20  # a twentieth of the time; and three seconds later for the account
    for at_s, asked in ((old_s - 0.5, 6), (old_s, 12), (old_s + 10, 12)):
        counting.now_s = at_s
        counting.bytes.room_for("a", 1)
        assert counting.queries == (asked if shared else 6)
    assert counting.bytes._of["a"] == (40 if shared else 0)


@pytest.mark.parametrize(("own", "of_all", "began_s"), [(1000, 5000, 1003), (5000, 1000, 1000)])
def test_where_much_room_is_left_a_count_stands_until_others_can_have_filled_it(
    own: int, of_all: int, began_s: int, database: Database, tmp_path: Path
) -> None:
    counting = Counting(database, tmp_path, own=own * FASTEST, of_all=of_all * FASTEST, shared=True)
    counting.row("a", "m", 900 * FASTEST)
    for at_s, asked in ((1000, 6), (began_s + 99, 6), (began_s + 100, 9)):
        counting.now_s = at_s
        counting.bytes.room_for("a", 1)
        assert counting.queries == asked, "it is asked again for the one whose room may be filled"


def test_a_server_of_several_that_just_began_counts(database: Database, tmp_path: Path) -> None:
    counting = Counting(database, tmp_path, shared=True)
    counting.now_s = 0.0
    counting.bytes.room_for("a", 1)
    assert counting.queries == 6
    assert counting.bytes._is_old("another", room=0)


def test_a_file_that_goes_while_it_is_counted_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").write_bytes(b"123")
    monkeypatch.setattr(os, "walk", lambda _: [(str(tmp_path), [], ["gone", "there"])])
    assert module._size_below(tmp_path) == 3
