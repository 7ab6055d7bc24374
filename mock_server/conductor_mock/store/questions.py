"""Questions with one row for an answer, asked with each request: on a connection kept for them, by the driver.

To take a connection from the pool, to begin, and to give it back costs several times what such an answer costs. Each
question is a statement of its own, so it sees all that was committed before, by whichever process.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

Answer = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A question as the driver takes it: its text, the names of its values in order, and those that it brings along."""

    text: str
    names: tuple[str, ...]
    own: Mapping[str, Any]


class Questions:
    """The questions to one SQLite file. Their answers are numbers and texts, as they lie there."""

    def __init__(self, engine: sa.Engine) -> None:
        """Nothing is opened before the first question."""
        self._engine = engine
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._spelled: dict[sa.Select[Any], _Spelled] = {}

    def first(self, question: sa.Select[Any], values: Mapping[str, Any]) -> Answer | None:
        """The first row of the answer. `question` is a constant: it is spelled once. Raises SQLAlchemyError."""
        with self._guard:
            spelled = self._spelled.get(question) or self._spell(question)
            connection = self._connection or self._open()
            given = tuple([values[name] if name in values else spelled.own[name] for name in spelled.names])
            try:
                # All rows, though there is one: a statement that is not at its end keeps what it reads from changing.
                rows = connection.execute(spelled.text, given).fetchall()
            except sqlite3.Error as error:
                raise sa.exc.OperationalError(spelled.text, given, error) from error
        return rows[0] if rows else None

    def close(self) -> None:
        """Give the connection back. What is asked later opens another one."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _spell(self, question: sa.Select[Any]) -> _Spelled:
        compiled = question.compile(dialect=self._engine.dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - no DDL
        spelled = _Spelled(str(compiled), tuple(compiled.positiontup or ()), compiled.params)
        self._spelled[question] = spelled
        return spelled

    def _open(self) -> sqlite3.Connection:
        taken = self._engine.raw_connection()
        self._connection = cast(sqlite3.Connection, taken.dbapi_connection)
        taken.detach()  # the pool counts and closes it no longer
        return self._connection
