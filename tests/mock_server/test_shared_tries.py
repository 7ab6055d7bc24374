"""Wrong tries that servers of one database count together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from conductor_mock.store.database import Database
from conductor_mock.store.shared_tries import SharedTries
from conductor_mock.store.tables import COUNTERS


@pytest.fixture
def database() -> Iterator[Database]:
    with Database("sqlite://") as database:
        with database.write() as connection:
            connection.execute(COUNTERS.insert().values(name="another", value=77))
        yield database


def test_tries_are_counted_by_address_and_together(database: Database) -> None:
    one, other = SharedTries(database), SharedTries(database)
    assert one.counted("a") == (0, 0, 0)
    one.add("a")
    other.add("a")
    other.add("b")
    assert [one.counted(address) for address in "abc"] == [(0, 2, 3), (0, 1, 3), (0, 0, 3)]


def test_a_window_is_begun_once_whoever_comes_first(database: Database) -> None:
    one, other = SharedTries(database), SharedTries(database)
    one.add("a")
    one.begin(0, 50)
    assert one.counted("a") == (50, 0, 0)
    other.add("a")
    other.begin(0, 60)
    assert other.counted("a") == (50, 1, 1), "another server began it"
    SharedTries(database)
    assert other.counted("a") == (50, 1, 1), "a server that comes begins nothing"
    other.begin(50, 60)
    assert one.counted("a") == (60, 0, 0)
    with database.read() as connection:
        others = sa.select(COUNTERS.c.value).where(COUNTERS.c.name == "another")
        assert connection.execute(others).scalar_one() == 77


def test_what_is_too_long_for_an_address_is_counted_together(database: Database) -> None:
    tries = SharedTries(database)
    for end in ("a", "b"):
        tries.add("x" * 200 + end)
    assert tries.counted("x" * 200) == (0, 2, 2)
    tries.add("x" * 199 + "y")
    assert tries.counted("x" * 300) == (0, 2, 3)
