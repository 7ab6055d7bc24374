"""The secrets of servers that share a database: one signing key and one default API key, so that what one of them hands
out holds at every other.

The first server writes its own down in the database, those that its directory has already if there are some; the others
take them over. Servers that are given a file by `--keys` leave none in the database, only what tells whether all have
the same.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.durable import write_private
from conductor_mock.store.keys import FILE, Keys, KeysError, keys_of, load, text_of, write_keys
from conductor_mock.store.ownership import OwnershipLostError
from conductor_mock.store.tables import META

log = logging.getLogger(__name__)

NAME = "keys"
"""The row of `meta` with the secrets."""
_AGREED = "keys_of"
"""The one that tells which the servers of a run have."""
BEFORE = "keys.json.before"
"""What a directory's own secrets are called once it has those of a database."""


def shared_keys(database: Database, run: str, directory: Path, given: Keys | None) -> Keys:
    """The secrets of all servers of a run: those `given` by a file, or those of the database, made on first use.

    Raises KeysError when another server of the run has others, or those of the database are damaged; OSError,
    SQLAlchemyError.
    """
    own = load(directory)
    keys = given or _of_database(database, own or Keys.fresh())
    with database.write() as connection:
        agree(database, connection, run, keys)
    if given is None and keys != own:
        if own is not None:
            log.warning("the keys of the database are used; those of %s are %s now", directory, BEFORE)
            write_private(directory / BEFORE, (directory / FILE).read_text(encoding="ascii"))
        write_keys(directory, keys)
    return keys


def _of_database(database: Database, own: Keys) -> Keys:
    """The secrets in the database; those are `own` from now on where there were none."""
    with database.write() as connection:
        database.insert_new(connection, NewRows(META, [{"name": NAME, "value": text_of(own)}]))
        text = connection.execute(sa.select(META.c.value).where(META.c.name == NAME)).scalar_one()
    return keys_of(f"the row {NAME!r} of the table meta in {database.shown_url}", text)


def agree(database: Database, connection: sa.Connection, run: str, keys: Keys) -> None:
    """Note in a transaction which secrets the servers of a run have. Raises KeysError when they have others."""
    ours = f"{run} {hashlib.sha256(text_of(keys).encode()).hexdigest()}"
    name = META.c.name == _AGREED
    database.insert_new(connection, NewRows(META, [{"name": _AGREED, "value": ours}]))
    agreed = str(connection.execute(sa.select(META.c.value).where(name)).scalar_one())
    if agreed == ours:
        return
    if agreed.rpartition(" ")[0] == run:
        raise KeysError(
            f"the servers that run on {database.shown_url} have other keys, so tokens and URLs of the one would "
            "be void at the other: give all of them the same --keys FILE, or none"
        )
    connection.execute(META.update().where(name).values(value=ours))


def agree_again(database: Database, keys: Keys, connection: sa.Connection, run: str) -> None:
    """`agree` with a run that others have begun meanwhile (`Database.on_rejoin`). Raises OwnershipLostError."""
    try:
        agree(database, connection, run, keys)
    except KeysError:
        raise OwnershipLostError(
            "its database was restarted, and servers with other keys have it since: end those, or this one"
        ) from None
