"""A copy of a data directory that may be served meanwhile: the database of one moment, and the contents it refers to.

The database is copied first, small contents with it. The others never change, and are there before a row refers to
them, so whatever the copy names can be copied afterwards; only a reset takes contents away, and then all begins again
with a later database. The copy gets its name when it is whole.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from conductor_contracts.problems import count
from conductor_mock.store.belonging import NotItsDatabaseError, check_belongs
from conductor_mock.store.bucket_belonging import check_belongs as check_bucket_belongs
from conductor_mock.store.bucket_belonging import check_local, forget_bucket
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.bucket_parts import parts_in
from conductor_mock.store.content_store import BLOCK
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError, file_of, of_file
from conductor_mock.store.durable import (
    NewFile,
    fsync_folder,
    private_database,
    private_folder,
    write_private,
)
from conductor_mock.store.keys import FILE as KEYS
from conductor_mock.store.keys import KeysError, check_keys
from conductor_mock.store.objects import ObjectStore, WrongContentError, path_below
from conductor_mock.store.parts import part_name
from conductor_mock.store.small_contents import SmallContents
from conductor_mock.store.sweeper import DamagedReferenceError, contents_there, files_in, referenced, sweep
from conductor_mock.store.tables import LOG, MULTIPARTS, PARTS, SMALL_CONTENTS
from conductor_mock.wire.md5 import to_base64

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


OWN_TOOLS = (
    "a PostgreSQL database is copied with its own tools: 'pg_dump --format=custom' first, then the data directory {} "
    "with any that copy files. To restore, 'pg_restore' into an empty database, put the directory back, and serve the "
    "two with --data-dir and --database-url"
)
"""What is to be done where we copy nothing. Contents are there before a row refers to them, so the order matters."""


def back_up(
    directory: Path, target: Path, database_url: str | None = None, bucket: BucketObjects | None = None
) -> BackedUp:
    """Copy a data directory to `target`, a folder that is not there yet, with the SQLite database at a URL or its own.

    Contents in a `bucket` are fetched from it: the copy is served without one.

    All that was acknowledged before is in it, what is acknowledged meanwhile may be; it is on disk when this returns.
    Left out are the journal, which is no state, and the folders of tasks that run. Every content is held to its md5.
    Raises BackUpError, OSError, sqlite3.Error, SQLAlchemyError; nothing of the name `target` is there then.
    """
    database = _database_file(directory, database_url)
    if os.path.lexists(target):
        raise BackUpError(f"{target} is there already: name a folder that is not")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Of a name that nobody can foresee: a folder or a link that waits there would get the keys.
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".partial", dir=target.parent))
    try:
        made = _copied(directory, database, partial, bucket)
        fsync_folder(partial)
        _name(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    fsync_folder(target.parent)
    return made


def _database_file(directory: Path, url: str | None) -> Path:
    """The file of the database. Raises BackUpError where there is none."""
    try:
        file = directory / _DATABASE if url is None else file_of(url)
    except DatabaseError as error:
        raise BackUpError(str(error)) from error
    if file is None:
        raise BackUpError(OWN_TOOLS.format(directory))
    if not file.is_file():
        raise BackUpError(
            f"there is no {file}: nothing to copy. Give the --database-url that {directory} is used with; "
            + OWN_TOOLS.format(directory)
        )
    if not directory.is_dir():
        raise BackUpError(f"there is no data directory {directory}: nothing to copy")
    return file


def _name(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError as error:
        if os.path.lexists(target):  # another copy was quicker
            raise BackUpError(f"{target} has come to be meanwhile: name a folder that is not") from error
        raise


def _copied(directory: Path, file: Path, partial: Path, bucket: BucketObjects | None) -> BackedUp:
    if os.path.lexists(directory / KEYS):
        if not (directory / KEYS).is_file():
            raise BackUpError(f"{directory / KEYS} is no file")
        try:
            check_keys(directory)
        except KeysError as error:
            raise BackUpError(str(error)) from error
        write_private(partial / KEYS, (directory / KEYS).read_text(encoding="ascii"))
    store = ObjectStore(partial)
    for _ in range(_ROUNDS):
        _copy_database(file, partial / _DATABASE)
        try:
            with Database(of_file(partial / _DATABASE)) as database:
                _check_belongs(database, directory, file)
                small = _checked_small_contents(database)
                if bucket is None:
                    check_local(database)
                    _copy_contents(directory, store, database, besides=small)
                else:
                    _fetch_contents(bucket, store, database, besides=small)
                    _fetch_parts(bucket, partial, database)
                _copy_parts(directory, partial, database)
                sweep(database, partial)  # what an earlier round copied and a reset then took away
                return _counted(partial, database)
        except FileNotFoundError:
            continue
        except (DatabaseError, DamagedReferenceError) as error:
            raise BackUpError(str(error)) from error
    raise BackUpError(
        f"{directory}: accounts were reset, or contents are missing, each of {_ROUNDS} times that it was copied; "
        "`conductor-mock check` says what is missing"
    )


def _check_belongs(database: Database, directory: Path, file: Path) -> None:
    """Raise BackUpError where the directory is used with another database: this one is of before, or of elsewhere."""
    try:
        check_belongs(database, directory)
    except NotItsDatabaseError as error:
        raise BackUpError(
            f"{file} is not the database that {directory} is used with: give its --database-url; "
            + OWN_TOOLS.format(directory)
        ) from error


def _copy_database(source: Path, target: Path) -> None:
    """The database as it is at one moment, whoever writes to it: all in one step, which no write begins anew."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    private_database(target)
    with closing(sqlite3.connect(source, timeout=60)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _checked_small_contents(database: Database) -> set[bytes]:
    """The contents that came with the database."""
    there = set()
    try:
        for small in SmallContents(database).all():
            if not small.is_whole:
                raise BackUpError(
                    f"the content {to_base64(small.md5)} is damaged; `conductor-mock check` says what it belongs to"
                )
            there.add(small.md5)
    except (TypeError, ValueError) as error:
        raise DamagedReferenceError(SMALL_CONTENTS.name) from error
    return there


def _copy_contents(directory: Path, store: ObjectStore, database: Database, *, besides: set[bytes]) -> None:
    """The contents that are files. Raises FileNotFoundError when one has gone meanwhile."""
    for md5 in referenced(database):
        if md5 in besides or store.has(md5):
            continue
        path = path_below(directory / "objects", md5)
        with _opened(path) as stream:
            try:
                store.put(stream, md5=md5, size=os.fstat(stream.fileno()).st_size)
            except WrongContentError as error:
                raise BackUpError(
                    f"{path} is damaged ({error}); `conductor-mock check` says what it belongs to"
                ) from error


def _fetch_contents(
    bucket: BucketObjects, store: ObjectStore, database: Database, *, besides: set[bytes]
) -> None:
    """Those that are in the bucket. Raises FileNotFoundError when one has gone meanwhile.

    The copy is no longer of the bucket.
    """
    check_bucket_belongs(database, bucket)
    for md5 in referenced(database):
        if md5 in besides or store.has(md5):
            continue
        with bucket.open(md5) as stream, store.receive(stream, md5=md5) as content, content.placed():
            pass
    forget_bucket(database)


def _copy_parts(directory: Path, partial: Path, database: Database) -> None:
    """Parts of uploads that are not whole. One that has gone was made whole, or was sent again: clients ask."""
    with database.read() as connection:
        begun = connection.execute(sa.select(MULTIPARTS.c.account, MULTIPARTS.c.upload_id)).all()
    for account, upload_id in begun:
        source = directory / "parts" / account / upload_id
        target = partial / "parts" / account / upload_id
        for path in sorted(files_in(source)) if source.is_dir() else ():
            private_folder(target)
            _copy_file(path, target / path.name)


def _fetch_parts(bucket: BucketObjects, partial: Path, database: Database) -> None:
    """The same of parts in a bucket, which are files of the copy."""
    for row in parts_in(database):
        target = partial / "parts" / row["account"] / row["upload_id"]
        private_folder(target)
        try:
            body = bucket.bucket.get(row["name"])
        except FileNotFoundError:
            continue
        with body, NewFile(target, private=True) as file:
            while block := bucket.bucket.read(body, BLOCK):
                file.write(block)
            file.sync()
            file.place(target / part_name(row["number"], row["etag"]))
    with database.write() as connection:
        connection.execute(PARTS.delete())


def _copy_file(path: Path, target: Path) -> None:
    try:
        source = _opened(path)
    except FileNotFoundError:
        return
    with source, NewFile(target.parent, private=True) as file:
        while block := source.read(BLOCK):
            file.write(block)
        file.sync()
        file.place(target)


def _opened(path: Path) -> IO[bytes]:
    """A file of the data directory; what is none (a pipe, a link) is neither waited for nor followed."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise BackUpError(f"{path} is no file; `conductor-mock check` says what it belongs to")
    return path.open("rb", buffering=0)


def _counted(partial: Path, database: Database) -> BackedUp:
    with database.read() as connection:
        accounts = connection.execute(sa.select(sa.func.count(LOG.c.account.distinct()))).scalar_one()
    sizes = [path.stat().st_size for _, path in contents_there(partial)]
    small, small_bytes = SmallContents(database).totals()
    parts = sum(1 for path in (partial / "parts").glob("*/*/*") if path.is_file())
    return BackedUp(accounts, len(sizes) + small, sum(sizes) + small_bytes, parts)
