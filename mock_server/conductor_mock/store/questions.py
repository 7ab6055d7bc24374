"""Questions that are asked with each request: on a connection that is kept for them, by the driver.

To take a connection from the pool, to begin, and to give it back costs several times what such an answer costs. Each
question is a statement of its own, so it sees all that was committed before, by whichever process.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from conductor_mock.store.driver import Answer
from conductor_mock.store.prepared import Prepared


class Questions:
    """The questions to one SQLite file."""

    def __init__(self, engine: sa.Engine) -> None:
        """Nothing is opened before the first question."""
        self._engine = engine
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._prepared: dict[sa.Select[Any], Prepared] = {}

    def ask(self, question: sa.Select[Any], values: Mapping[str, Any]) -> list[Answer]:
        """The rows of the answer. `question` is a constant: it is made ready once. Raises SQLAlchemyError."""
        with self._guard:
            prepared = self._prepared.get(question)
            if prepared is None:
                prepared = self._prepared[question] = Prepared(question, self._engine.dialect)
            return prepared.answers(self._connection or self._open(), values)

    def close(self) -> None:
        """Give the connection back. What is asked later opens another one."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        taken = self._engine.raw_connection()
        self._connection = cast(sqlite3.Connection, taken.dbapi_connection)
        taken.detach()  # the pool counts and closes it no longer
        return self._connection
