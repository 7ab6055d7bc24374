"""Questions with one row for an answer, on a connection that is kept for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from conductor_mock.store.database import Database
from conductor_mock.store.tables import COUNTERS, META

VALUE = sa.select(META.c.value).where(META.c.name == sa.bindparam("name"))
LAST = sa.select(COUNTERS.c.name, COUNTERS.c.value).order_by(COUNTERS.c.value.desc()).limit(1)
FAULTS = sa.select(COUNTERS.c.value).where(COUNTERS.c.name == "faults")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path / 'a.db'}") as opened:
        yield opened


def count_up(database: Database, name: str, value: int) -> None:
    with database.write() as connection:
        connection.execute(COUNTERS.delete().where(COUNTERS.c.name == name))
        connection.execute(COUNTERS.insert().values(name=name, value=value))


def test_an_answer_is_what_is_committed_whoever_did_and_whatever_was_asked_before(
    database: Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    assert database.first(LAST) is None
    for number in range(1, 20):
        if number % 2:
            count_up(database, "faults", number)
        else:
            other.execute("UPDATE counters SET value = ? WHERE name = 'faults'", (number,))
        assert database.first(FAULTS) == (number,)
        assert database.first(LAST) == ("faults", number)
    other.close()


def test_what_is_not_committed_is_no_answer(database: Database) -> None:
    count_up(database, "faults", 1)
    with database.write() as connection:
        connection.execute(COUNTERS.update().values(value=2))
        assert database.first(FAULTS) == (1,)
    assert database.first(FAULTS) == (2,)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{}/a.db"])
def test_a_question_takes_values_and_has_no_row_where_nothing_fits(url: str, tmp_path: Path) -> None:
    with Database(url.format(tmp_path)) as database:
        assert database.first(VALUE, name="schema") is not None
        assert database.first(VALUE, name="nobody's") is None
        assert database.first(VALUE, name="schema") is not None


def test_a_question_keeps_nothing_back_from_the_file(database: Database, tmp_path: Path) -> None:
    count_up(database, "faults", 1)
    database.first(LAST)
    with sqlite3.connect(tmp_path / "a.db") as other:
        is_busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert not is_busy, "whoever reads an old state would keep the log of the file from being emptied"


def test_what_a_file_cannot_answer_is_an_error_of_the_database(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("DROP TABLE counters"))
    with pytest.raises(sa.exc.SQLAlchemyError, match="no such table"):
        database.first(FAULTS)
    assert database.first(VALUE, name="schema") is not None
