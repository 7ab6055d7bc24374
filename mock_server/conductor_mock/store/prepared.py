"""A statement as the driver takes it, made once: for what runs with each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """A statement whose values are all given when it runs, such as an INSERT of every column of a table.

    Its values go to the driver as they are: for columns whose types need no conversion, as numbers, texts and bytes.
    """

    def __init__(self, statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - no DDL
        self._text = str(compiled)
        self._names = compiled.positiontup

    def run(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it for each row, whose values are named as the columns are. How many rows of the table it has reached."""
        given = [self._given(row) for row in rows]
        return connection.exec_driver_sql(self._text, given[0] if len(given) == 1 else given).rowcount

    def first(self, connection: sa.Connection, values: Mapping[str, Any]) -> sa.Row[Any] | None:
        """The first row of what it answers; None where there is none."""
        return connection.exec_driver_sql(self._text, self._given(values)).first()

    def _given(self, values: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        if self._names is None:  # the driver takes names
            return dict(values)
        return tuple([values[name] for name in self._names])
