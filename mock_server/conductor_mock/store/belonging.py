"""Which database a data directory belongs to: what another one does not refer to is no reason to remove anything.

A database may lie anywhere (`--database-url`). One that is forgotten, mistaken, thrown away or restored without its
directory refers to none of the contents that lie here. So both have the same random name written down, the directory
in a file and the database in a row, from the first server that used them together.
"""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.durable import private_file, write_private
from conductor_mock.store.tables import ACCOUNT_CONTENTS, LOG, META

FILE = "belongs"
"""Of a data directory: the name that it has in its database."""
NAME = "directory"
"""The row of `meta` that has the same."""
_FOLDERS = ("objects", "parts")


class NotItsDatabaseError(OSError):
    """The database is not the one of this directory; nothing was removed."""

    def __init__(self, database: Database, directory: Path) -> None:
        message = (
            f"{database.shown_url} is not the database that {directory} was used with, so nothing is removed: give "
            f"the right --database-url, or remove the file {FILE} in that directory if it is"
        )
        super().__init__(errno.EINVAL, message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def check_belongs(database: Database, directory: Path) -> None:
    """Raise NotItsDatabaseError unless a database is the one of a directory."""
    of_database, of_directory = _of_database(database), _of_directory(directory)
    if of_directory is None:
        is_its_own = of_database is not None or _holds_nothing(directory) or _knows_something(database)
    else:
        is_its_own = of_database == of_directory
    if not is_its_own:
        raise NotItsDatabaseError(database, directory)


def is_the_directory_of(database: Database, directory: Path) -> bool:
    """Whether the contents that a database refers to lie in a directory, so far as both have it written down."""
    return _of_database(database) in (None, _of_directory(directory))


def join(database: Database, directory: Path) -> None:
    """Note that they are used together, where nothing says otherwise. Raises OSError, SQLAlchemyError."""
    of_database, of_directory = _of_database(database), _of_directory(directory)
    name = of_directory or of_database or secrets.token_hex(16)
    if of_database is None and (
        _holds_nothing(directory) or (of_directory is None and _knows_something(database))
    ):
        with database.write() as connection:
            database.insert_new(connection, NewRows(META, [{"name": NAME, "value": name}]))
    if of_directory is None:  # also where the database is a new one: it is the wrong one from now on
        write_private(directory / FILE, name)
    else:
        private_file(directory / FILE)


def _of_database(database: Database) -> str | None:
    with database.read() as connection:
        value = connection.execute(sa.select(META.c.value).where(META.c.name == NAME)).scalar_one_or_none()
    return None if value is None else str(value)


def _of_directory(directory: Path) -> str | None:
    try:
        return (directory / FILE).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None


def _holds_nothing(directory: Path) -> bool:
    """Whether there is no file that a sweep could remove."""
    return not any(_has_files(directory / name) for name in _FOLDERS)


def _has_files(folder: Path) -> bool:
    """Whether a folder has files, or a folder in it; other servers may take it away meanwhile."""
    try:
        with os.scandir(folder) as entries:
            return any(
                _has_files(Path(entry)) if entry.is_dir(follow_symlinks=False) else entry.is_file()
                for entry in entries
            )
    except FileNotFoundError:
        return False


def _knows_something(database: Database) -> bool:
    with database.read() as connection:
        return any(
            connection.execute(sa.select(table.c.account).limit(1)).first() is not None
            for table in (LOG, ACCOUNT_CONTENTS)
        )
