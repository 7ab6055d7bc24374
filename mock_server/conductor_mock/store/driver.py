"""Statements that go to SQLite's driver as they are, and its errors as SQLAlchemy has them.

For what runs with each request: what SQLAlchemy does for any statement and any driver costs several times what these
take. Their values and answers are numbers, texts and bytes, as they lie in the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa

Answer = tuple[Any, ...]


def raw_of(connection: sa.Connection) -> sqlite3.Connection:
    """The driver's connection behind one to SQLite: what it does is in the same transaction."""
    return cast(sqlite3.Connection, connection.connection.dbapi_connection)


def execute(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
    """Run one statement. Raises SQLAlchemyError."""
    try:
        return connection.execute(text, values)
    except sqlite3.Error as error:
        raise _spoken(error, text, values) from error


def execute_many(connection: sqlite3.Connection, text: str, rows: Sequence[Sequence[Any]]) -> sqlite3.Cursor:
    """Run one statement for each of several rows. Raises SQLAlchemyError."""
    try:
        return connection.executemany(text, rows)
    except sqlite3.Error as error:
        raise _spoken(error, text, rows) from error


def answers(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> list[Answer]:
    """All rows of an answer: a statement that is not at its end keeps what it reads from changing. Raises
    SQLAlchemyError.
    """
    try:
        return connection.execute(text, values).fetchall()
    except sqlite3.Error as error:
        raise _spoken(error, text, values) from error


def _spoken(error: sqlite3.Error, text: str, values: object) -> BaseException:
    return sa.exc.DBAPIError.instance(text, values, error, sqlite3.Error)  # type: ignore[call-overload, no-any-return]
