"""Which database the contents of a bucket's prefix belong to, as `belonging.py` says it of a directory.

Several servers use one prefix, if they use one database too. One of another database would take away what the rows of
the first refer to, so it does not start. The database names itself first, then the prefix is claimed in that name, then
the database notes that it was: whoever is killed in between is no stranger afterwards.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.small_contents import SmallContents
from conductor_mock.store.sweeper import referenced
from conductor_mock.store.tables import META

if TYPE_CHECKING:  # a server without a bucket asks here whether it needs one
    from conductor_mock.store.bucket_objects import BucketObjects

NAME = "objects"
"""The row of `meta` with the name of the database."""
CLAIMED = "objects/claimed"
"""The row that is there once a prefix has that name, too."""
_TRIED = 20
"""Contents, of those that are not in the database, that are looked for where nothing says whose the prefix is."""


def check_local(database: Database) -> None:
    """Raise DatabaseError when the contents of a database lie in a bucket, and not in the data directory."""
    if not database.is_new and _noted(database, CLAIMED) is not None:
        raise DatabaseError(
            f"the contents of {database.shown_url} lie in a bucket: give its --objects s3://BUCKET/PREFIX"
        )


def check_belongs(database: Database, objects: BucketObjects) -> None:
    """Raise DatabaseError unless a prefix is the one of a database. Nothing is written. Raises BucketError."""
    name = objects.mark()
    if name is None or name != _noted(database, NAME):
        raise _not_its_own(database, objects)


def forget_bucket(database: Database) -> None:
    """Note in a copy of a database that its contents lie beside it, and belong to nobody else's prefix."""
    with database.write() as connection:
        connection.execute(META.delete().where(META.c.name.in_([NAME, CLAIMED])))


def join(database: Database, objects: BucketObjects) -> None:
    """Note that a database and a prefix are used together. Raises DatabaseError when they are not; BucketError."""
    from conductor_mock.store.bucket_objects import MARK

    name = _note(database, NAME, secrets.token_hex(16))
    if objects.mark() is None:
        if _noted(database, CLAIMED) is not None:
            raise DatabaseError(
                f"{objects.bucket.location} has no file '{MARK}': it is another place than {database.shown_url} was "
                "used with, or was emptied; give the right --objects, or restore the bucket"
            )
        _check_copied(database, objects)
        body = name.encode("ascii")
        with suppress(FileExistsError):  # another server of this database, or of another, was quicker
            objects.bucket.put(MARK, body, md5=hashlib.md5(body, usedforsecurity=False).digest(), is_new=True)
    if objects.mark() != name:
        raise _not_its_own(database, objects)
    _note(database, CLAIMED, name)
    objects.belongs_to = name


def _not_its_own(database: Database, objects: BucketObjects) -> DatabaseError:
    return DatabaseError(
        f"{objects.bucket.location} was not used with {database.shown_url}, but with another database or with none: "
        "give the right --database-url or --data-dir, or another prefix"
    )


def _check_copied(database: Database, objects: BucketObjects) -> None:
    """Raise DatabaseError when the contents that a database refers to are elsewhere."""
    wanted = set(referenced(database))
    for md5 in islice(wanted - SmallContents(database).those_there(wanted), _TRIED):
        if not objects.has(md5):
            raise DatabaseError(
                f"{database.shown_url} refers to contents that are not in {objects.bucket.location}: its data "
                "directory has them. Save its accounts as bundles, and replay them at a server with --objects and a "
                "new data directory"
            )


def _noted(database: Database, row: str) -> str | None:
    with database.read() as connection:
        value = connection.execute(sa.select(META.c.value).where(META.c.name == row)).scalar_one_or_none()
    return None if value is None else str(value)


def _note(database: Database, row: str, value: str) -> str:
    """What the row says from now on: `value`, unless it says something already."""
    if _noted(database, row) is None:
        with database.write() as connection:
            database.insert_new(connection, NewRows(META, [{"name": row, "value": value}]))
    return _noted(database, row) or value
