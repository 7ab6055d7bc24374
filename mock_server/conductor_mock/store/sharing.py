"""What a server has that is one of several on the same data: the locks between them, and what was done for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.heads import End
from conductor_mock.store.locks import Level, Locks
from conductor_mock.store.tables import META

_TAKEN = sa.select(META.c.value).where(META.c.name == sa.bindparam("name"))

_OPTIONS = "server_options"
"""The row of `meta` with the options of the server that came last."""


@dataclass(frozen=True, slots=True)
class AccountLocks:
    """The locks of accounts outside the process, and where the logs of accounts end (`slots.Outside`)."""

    locks: Locks
    end: Callable[[str], End | None]
    renew: Callable[[], None] | None = None
    """Asks for the time where it is another machine's."""

    @contextmanager
    def hold(self, account_id: str) -> Iterator[None]:
        """For the block, no other server has the account."""
        with self.locks.hold(Level.ACCOUNT, account_id):
            if self.renew is not None:
                self.renew()
            yield

    def try_hold(self, account_id: str) -> AbstractContextManager[bool]:
        """`hold` without waiting; whether it is held."""
        return self.locks.try_hold(Level.ACCOUNT, account_id)


class OptionsTaken:
    """Which servers' options accounts have taken up, so that each server's are taken up once, and not by each worker.

    Servers that run together are one run, whoever of them comes and goes. With the next run all is taken up again, as
    by a server that is started again.
    """

    def __init__(self, database: Database, digest: str) -> None:
        """`digest` is of the options of this server."""
        self._database = database
        self._digest = digest

    def has(self, account_id: str) -> bool:
        """Whether the account has taken up these options in this run. The caller has its lock."""
        return self._database.first(_TAKEN, name=self._name(account_id)) == (self._database.run,)

    def note(self, account_id: str) -> None:
        """It has, now. The caller has its lock."""
        name = self._name(account_id)
        with self._database.write() as connection:
            connection.execute(META.delete().where(META.c.name == name))
            connection.execute(META.insert().values(name=name, value=self._database.run))

    def _name(self, account_id: str) -> str:
        return f"options/{account_id}/{self._digest}"


def differences(database: Database, options: Mapping[str, str]) -> list[str]:
    """How the options of this server, as they are shown, differ from those of the one of its run that came before it.

    They are noted for the next one. Raises SQLAlchemyError.
    """
    ours = json.dumps({"run": database.run, "options": dict(options)}, sort_keys=True)
    name = META.c.name == _OPTIONS
    with database.read() as connection:
        before = connection.execute(sa.select(META.c.value).where(name)).scalar_one_or_none()
    if before == ours:
        return []
    with database.write() as connection:
        connection.execute(META.delete().where(name))
        database.insert_new(connection, NewRows(META, [{"name": _OPTIONS, "value": ours}]))
    noted = {} if before is None else json.loads(before)
    if noted.get("run") != database.run:
        return []
    return [
        f"{option} is {text} here, and {noted['options'][option]} there"
        for option, text in options.items()
        if noted["options"].get(option, text) != text
    ]
