"""A statement as the driver takes it, made once: for what runs with each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """An INSERT of every column of a table, or another statement whose values are all given when it runs.

    Its values go to the driver as they are: for columns whose types need no conversion, as numbers, texts and bytes.
    """

    def __init__(self, statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - no DDL
        self._text = str(compiled)
        self._names = compiled.positiontup

    def run(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each row, whose values are named as the columns are."""
        names = self._names
        if names is None:  # the driver takes names
            connection.exec_driver_sql(self._text, [dict(row) for row in rows])
        else:
            connection.exec_driver_sql(self._text, [tuple([row[name] for name in names]) for row in rows])
