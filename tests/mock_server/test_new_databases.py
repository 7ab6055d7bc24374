"""A database that was just made is asked for nothing at the start: a throw-away server is there sooner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from conductor_mock.farm.ids import account_id
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from support.server import running


@contextmanager
def asked() -> Iterator[list[str]]:
    """The questions that SQLAlchemy puts to any database meanwhile, but for those that are plain texts."""
    found: list[str] = []

    def note(
        connection: sa.Connection, cursor: object, statement: str, values: object, context: object, _: bool
    ) -> None:
        if getattr(context, "compiled", None) is not None:
            found.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_a_fresh_server_asks_its_database_for_nothing() -> None:
    with asked() as found, running():
        at_the_start = list(found)
    assert at_the_start == []


def test_one_that_was_used_is_asked_for_what_is_in_it(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller("studio", "key")
    with asked() as found, running(data_dir=tmp_path) as fake:
        assert found
        assert fake.service.accounts.ids() == [account_id("studio")]


@pytest.mark.parametrize("left", ["meta", "log"])
def test_a_database_of_which_a_table_is_there_is_not_new(tmp_path: Path, left: str) -> None:
    """As whoever was killed while it was made leaves it."""
    file = tmp_path / "conductor.db"
    with Database(of_file(file)) as database:
        assert database.is_new
        tables = sa.inspect(database.engine).get_table_names()
    with closing(sqlite3.connect(file)) as connection:
        for name in set(tables) - {left}:
            connection.execute(f"DROP TABLE {name}")
    with Database(of_file(file)) as database:
        assert not database.is_new
        assert sa.inspect(database.engine).get_table_names() == tables
