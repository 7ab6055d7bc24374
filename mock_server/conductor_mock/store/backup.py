"""A copy of a data directory that may be served meanwhile: the database of one moment, and the contents it refers to.

The database is copied first. Contents never change, and are there before a row refers to them, so whatever the copy
names can be copied afterwards; only a reset takes contents away, and then all begins again with a later database. The
copy gets its name when it is whole.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store.database import Database, DatabaseError, of_file
from conductor_mock.store.durable import (
    NewFile,
    fsync_folder,
    private_database,
    private_folder,
    write_private,
)
from conductor_mock.store.keys import FILE as KEYS
from conductor_mock.store.objects import BLOCK, ObjectStore, WrongContentError
from conductor_mock.store.sweeper import count, sweep
from conductor_mock.store.tables import KEEPING, LOG, MULTIPARTS
from conductor_mock.wire.md5 import from_base64

_DATABASE = "conductor.db"
_ROUNDS = 20
"""How often it begins again, each time because an account was reset meanwhile."""


class BackUpError(Exception):
    """No copy was made; the message says why."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a copy holds: accounts, contents and their bytes, parts of uploads under way."""

    accounts: int
    contents: int
    content_bytes: int
    parts: int

    def __str__(self) -> str:
        return (
            f"{count(self.accounts, 'account')}, {count(self.contents, 'content')} of {self.content_bytes:,} bytes, "
            f"{count(self.parts, 'part')} of uploads"
        )


def back_up(directory: Path, target: Path) -> BackedUp:
    """Copy a data directory to `target`, a folder that is not there yet.

    All that was acknowledged before is in it, what is acknowledged meanwhile may be; it is on disk when this returns.
    Left out are the journal, which is no state, and the folders of tasks that run. Every content is held to its md5.
    Raises BackUpError, OSError, sqlite3.Error, SQLAlchemyError; nothing of the name `target` is there then.
    """
    if not (directory / _DATABASE).is_file():
        raise BackUpError(
            f"there is no {_DATABASE} in {directory}: nothing to copy. A database at a --database-url is copied "
            "with tools of its own (pg_dump), before its data directory is"
        )
    if os.path.lexists(target):
        raise BackUpError(f"{target} is there already: name a folder that is not")
    partial = target.with_name(f".{target.name}.partial")
    private_folder(target.parent)
    shutil.rmtree(partial, ignore_errors=True)
    private_folder(partial)
    try:
        made = _copied(directory, partial)
        fsync_folder(partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    fsync_folder(target.parent)
    return made


def _copied(directory: Path, partial: Path) -> BackedUp:
    if (directory / KEYS).is_file():
        write_private(partial / KEYS, (directory / KEYS).read_text(encoding="ascii"))
    store = ObjectStore(partial)
    for _ in range(_ROUNDS):
        _copy_database(directory / _DATABASE, partial / _DATABASE)
        try:
            with Database(of_file(partial / _DATABASE)) as database:
                _copy_contents(directory, store, database)
                _copy_parts(directory, partial, database)
                sweep(database, partial)  # what an earlier round copied and a reset then took away
                return _counted(partial, database)
        except FileNotFoundError:
            continue
        except DatabaseError as error:
            raise BackUpError(str(error)) from error
    raise BackUpError(
        f"{directory}: accounts were reset, or contents are missing, each of {_ROUNDS} times that it was copied; "
        "`conductor-mock check` says what is missing"
    )


def _copy_database(source: Path, target: Path) -> None:
    """The database as it is at one moment, whoever writes to it: all in one step, which no write begins anew."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    private_database(target)
    with closing(sqlite3.connect(source, timeout=60)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy_contents(directory: Path, store: ObjectStore, database: Database) -> None:
    """Raises FileNotFoundError when a content has gone meanwhile."""
    source = directory / "objects"
    for md5 in _referenced(database):
        if store.has(md5):
            continue
        name = md5.hex()
        path = source / name[:2] / name
        with path.open("rb", buffering=0) as stream:
            try:
                store.put(stream, md5=md5, size=os.fstat(stream.fileno()).st_size)
            except WrongContentError as error:
                raise BackUpError(
                    f"{path} is damaged ({error}); `conductor-mock check` says what it belongs to"
                ) from error


def _referenced(database: Database) -> Iterator[bytes]:
    with database.read() as connection:
        for column in KEEPING:
            for md5 in connection.execute(sa.select(column).where(column.is_not(None)).distinct()).scalars():
                yield from_base64(md5)


def _copy_parts(directory: Path, partial: Path, database: Database) -> None:
    """Parts of uploads that are not whole. One that has gone was made whole, or was sent again: clients ask."""
    with database.read() as connection:
        begun = connection.execute(sa.select(MULTIPARTS.c.account, MULTIPARTS.c.upload_id)).all()
    for account, upload_id in begun:
        source = directory / "parts" / account / upload_id
        target = partial / "parts" / account / upload_id
        for path in sorted(source.iterdir()) if source.is_dir() else ():
            private_folder(target)
            _copy_file(path, target / path.name)


def _copy_file(path: Path, target: Path) -> None:
    try:
        source = path.open("rb", buffering=0)
    except FileNotFoundError:
        return
    with source, NewFile(target.parent, private=True) as file:
        while block := source.read(BLOCK):
            file.write(block)
        file.sync()
        file.place(target)


def _counted(partial: Path, database: Database) -> BackedUp:
    with database.read() as connection:
        accounts = connection.execute(sa.select(sa.func.count(LOG.c.account.distinct()))).scalar_one()
    sizes = [path.stat().st_size for path in (partial / "objects").glob("??/*")]
    parts = sum(1 for path in (partial / "parts").glob("*/*/*") if path.is_file())
    return BackedUp(accounts, len(sizes), sum(sizes), parts)
