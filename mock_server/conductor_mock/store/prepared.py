"""A statement as the driver takes it, made once: for what runs with each request."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from conductor_mock.store import driver
from conductor_mock.store.driver import Answer, raw_of

Values = Mapping[str, Any]


class Prepared:
    """A statement whose values are all given when it runs, such as an INSERT of every column of a table.

    Its values go to the driver as they are: for columns whose types need no conversion, as numbers, texts and bytes.
    """

    def __init__(self, statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - no DDL
        self._text = str(compiled)
        self._names = compiled.positiontup
        self._own = {name: value for name, value in compiled.params.items() if value is not None}
        """What the statement itself says, such as how many rows it wants."""
        self._is_sqlite = dialect.name == "sqlite"

    def run(self, connection: sa.Connection, rows: Sequence[Values]) -> int:
        """Run it for each row, whose values are named as the columns are. How many rows of the table it has reached."""
        if self._is_sqlite:
            given = [self._positions(row) for row in rows]
            raw = raw_of(connection)
            if len(given) == 1:
                return driver.execute(raw, self._text, given[0]).rowcount
            return driver.execute_many(raw, self._text, given).rowcount
        named = [{**self._own, **row} for row in rows]
        return connection.exec_driver_sql(self._text, named[0] if len(named) == 1 else named).rowcount

    def first(self, connection: sa.Connection, values: Values) -> Answer | None:
        """The first row of what it answers; None where there is none."""
        if self._is_sqlite:
            return next(iter(self.answers(raw_of(connection), values)), None)
        row = connection.exec_driver_sql(self._text, {**self._own, **values}).first()
        return None if row is None else tuple(row)

    def answers(self, connection: sqlite3.Connection, values: Values) -> list[Answer]:
        """All rows of what SQLite answers on a connection of its driver."""
        return driver.answers(connection, self._text, self._positions(values))

    def _positions(self, values: Values) -> tuple[Any, ...]:
        own = self._own
        return tuple([values[name] if name in values else own[name] for name in self._names or ()])
