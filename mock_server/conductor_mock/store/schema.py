"""Whether a SQLite file is one of ours, and whole: its pages, its tables, the count of its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from conductor_mock.store import commits
from conductor_mock.store.aside import DAMAGED, set_aside
from conductor_mock.store.durable import fsync_folder, private_file
from conductor_mock.store.tables import (
    ACCOUNT_CONTENTS,
    DECLARATIONS,
    LOG,
    MAIL_STATUSES,
    META,
    METADATA,
    MULTIPARTS,
    OUTPUTS,
    SNAPSHOTS,
    SUM,
)

_MOST = 20
"""Sentences of SQLite about one file; a damaged page makes hundreds."""

_FIRST = (META, LOG, SNAPSHOTS, ACCOUNT_CONTENTS, OUTPUTS, MULTIPARTS, MAIL_STATUSES, DECLARATIONS)
_LATER = frozenset(METADATA.tables) - {table.name for table in _FIRST}
"""Tables that databases of before may lack."""

Schema = Mapping[tuple[str, str, str], frozenset[tuple[Any, ...]]]

Found = Callable[[str], None]
"""Is told each damage."""


def lenient(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same connection, which reads a text that is no UTF-8 as one that is wrong, and does not fail."""
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return connection


def check_file(path: Path, found: Found, *, is_ours: bool = True) -> bool:
    """Whether the pages of a SQLite file fit together; it is not changed. `is_ours`: its tables are looked at, too."""
    try:
        with closing(lenient(sqlite3.connect(path, timeout=1))) as connection:
            said = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
            for sentence in said:
                if sentence != "ok":
                    found(f"{path.name}: {sentence}")
            if is_ours:
                _check_schema(path, connection, found)
            return said == ["ok"]
    except (sqlite3.Error, ValueError) as error:
        found(f"{path.name} cannot be read: {error}")
        return False


def check_count(path: Path, found: Found) -> None:
    """Compare the count of transactions in a database with the one beside it."""
    try:
        noted = commits.noted(commits.file_of(path)) or 0
    except ValueError as error:
        found(f"{error}: whether the last transactions are there cannot be said")
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (commits.NAME,)).fetchone()
        count = int(row[0]) if row is not None and str(row[0]).isdigit() else 0
        if count < noted:
            found(f"{path.name} has lost its last {noted - count} transactions, which were acknowledged")


def rebuild(path: Path) -> int:
    """Make a new database of every row that can still be read; the old file moves aside. Answers how many rows.

    Of none no database is made: the old one stays where it is.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    private_file(new)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(new)))
    METADATA.create_all(engine)
    engine.dispose()
    count = 0
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(new)) as made:
        old.text_factory = bytes
        for table in METADATA.sorted_tables:
            names = [column.name for column in table.c]
            marks = ", ".join("?" * len(names))
            insert = f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - ours
            are_bytes = [isinstance(column.type, sa.LargeBinary) for column in table.c]
            for row in _readable(old, table.name, names):
                with suppress(sqlite3.Error, UnicodeDecodeError):
                    values = zip(row, are_bytes, strict=True)
                    made.execute(insert, [value if is_bytes else _text(value) for value, is_bytes in values])
                    count += 1
        made.commit()
    if not count:
        new.unlink()
        return 0
    new.replace(_made_of(path))
    fsync_folder(path.parent)
    finish_rebuild(path)
    return count


def is_half_rebuilt(path: Path) -> bool:
    """Whether whoever made a database anew was killed before it was in its place."""
    return _made_of(path).exists()


def finish_rebuild(path: Path) -> None:
    """Put the database that was made anew in the place of the old one, which moves aside, if there is one to put."""
    if not is_half_rebuilt(path):
        return
    for suffix in ("-wal", "-shm", ".commits", ""):  # SQLite would take the old log for one of the new file
        set_aside(path.with_name(path.name + suffix), path.parent / DAMAGED)
    fsync_folder(path.parent)
    _made_of(path).replace(path)
    fsync_folder(path.parent)


def _made_of(path: Path) -> Path:
    """A database that is whole and waits for the place of the old one."""
    return path.with_name(f"{path.name}.made")


def _readable(connection: sqlite3.Connection, table: str, names: list[str]) -> Iterator[tuple[object, ...]]:
    """The rows of a table from both of its ends, as far as they can be read; some of them come twice."""
    columns = ", ".join(names)
    for order in ("ASC", "DESC"):
        sql = f"SELECT {columns} FROM {table} NOT INDEXED ORDER BY rowid {order}"  # noqa: S608 - names of ours
        with suppress(sqlite3.Error):
            yield from connection.execute(sql)


def _text(value: object) -> object:
    return value.decode("utf-8") if isinstance(value, bytes) else value


@cache
def _as_made() -> Schema:
    """What a new database has."""
    engine = sa.create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as fresh:
        schema = _schema(fresh.connection.dbapi_connection)
    engine.dispose()
    return schema


def _schema(connection: Any) -> Schema:
    """The tables and indexes of a database, `(type, name, table)`, each with its columns, `(name, type, null, key)`."""
    listed = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
    return {
        (str(kind), str(name), str(of)): frozenset(
            (row[1], row[2], row[3], row[5])
            for row in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))
        )
        for kind, name, of in listed
    }


def _check_schema(path: Path, connection: sqlite3.Connection, found: Found) -> None:
    """Compare tables, indexes and columns with those that a new database has.

    One of before may lack the columns of checksums, and tables that came later.
    """
    wanted, there = _as_made(), _schema(connection)
    for kind, name, _ in sorted(set(there) - set(wanted)):
        found(f"{path.name} has the {kind} {name!r}, which is none of ours")
    for kind, name, of in sorted(set(wanted) - set(there)):
        if of not in _LATER or ("table", of, of) in there:
            found(f"{path.name} has no {kind} {name!r}")
    for one in sorted(set(wanted) & set(there)):
        for column in sorted(there[one] ^ wanted[one], key=str):
            if column in there[one] or column[0] != SUM:
                found(f"{path.name}: the column {column[0]!r} of {one[1]} is not as it is made")
