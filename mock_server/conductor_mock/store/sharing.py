"""What a server has that is one of several on the same data: the locks between them, and what was done for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.store.database import Database
from conductor_mock.store.heads import End
from conductor_mock.store.locks import Level, Locks
from conductor_mock.store.tables import META

_TAKEN = sa.select(META.c.value).where(META.c.name == sa.bindparam("name"))


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
