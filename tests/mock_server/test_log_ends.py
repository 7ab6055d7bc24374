"""The end of each log, noted beside it and read in one query."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from conductor_mock.store import heads
from conductor_mock.store.heads import End, Ends, MovedLogError
from conductor_mock.store.tables import HEADS, LOG, METADATA

SUMS = {("a", 1): None, ("a", 2): "a2" * 8, ("a", 3): "a3" * 8, ("b", 1): "b1" * 8, ("b", 2): "b2" * 8}


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    """Logs of two accounts, of which one was written to since its end was noted."""
    with sa.create_engine("sqlite://").begin() as connection:
        METADATA.create_all(connection, tables=[LOG, HEADS])
        row = {"t_us": 0, "kind": "k", "v": 1, "json": "{}"}
        for (account, seq), total in SUMS.items():
            connection.execute(LOG.insert().values(account=account, seq=seq, sum=total, **row))
        connection.execute(HEADS.insert(), [{"account": name, "seq": 2} for name in "ab"])
        yield connection


def test_a_log_ends_with_its_last_command(connection: sa.Connection) -> None:
    last = {name: connection.execute(heads.END, {"account": name}).first() for name in "abc"}
    assert last == {"a": (3, SUMS["a", 3]), "b": (2, SUMS["b", 2]), "c": None}


def test_of_a_log_of_any_length_its_last_command_is_read_alone(connection: sa.Connection) -> None:
    assert len(connection.execute(heads.END, {"account": "a"}).all()) == 1


def test_the_ends_that_were_noted_are_read_together(connection: sa.Connection) -> None:
    a, b = End(2, SUMS["a", 2]), End(2, SUMS["b", 2])
    assert heads.ends_of(connection, ["a", "b", "c"]) == {"a": a, "b": b}
    assert heads.ends_of(connection, ["b"]) == {"b": b}
    assert heads.ends_of(connection, []) == {}


def test_the_sum_of_a_command_is_what_the_next_one_is_chained_to(connection: sa.Connection) -> None:
    ends = Ends(connection.dialect)
    assert ends.sum_of(connection, "a", 2) == SUMS["a", 2]
    assert ends.sum_of(connection, "b", 2) == SUMS["b", 2]
    assert ends.sum_of(connection, "a", 1) is None, "of before there were any"
    assert ends.sum_of(connection, "a", 0) is None, "nothing is before the first"
    with pytest.raises(MovedLogError, match="the lock of account a was lost") as moved:
        ends.sum_of(connection, "a", 4)
    assert moved.value.errno == errno.ESTALE


def test_an_end_is_noted_once_and_only_further_on(connection: sa.Connection) -> None:
    assert [heads.noted(connection, name) for name in "abc"] == [2, 2, 0]
    ends = Ends(connection.dialect)
    ends.move(connection, "a", 3)
    ends.move(connection, "c", 1)
    assert [heads.noted(connection, name) for name in "abc"] == [3, 2, 1]
    for seq in (3, 2):  # somebody else has come as far
        with pytest.raises(sa.exc.IntegrityError):
            ends.move(connection, "a", seq)


def test_an_end_is_shown_by_its_number_and_the_beginning_of_its_sum() -> None:
    assert str(End(3, "0123456789abcdef")) == "3.01234567"
    assert str(End(3, None)) == "3."
