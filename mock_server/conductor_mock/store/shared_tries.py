"""The wrong tries of a secret at all servers that share a database (`auth.attempts.WrongTries`)."""

from __future__ import annotations

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.tables import COUNTERS, WRONG_TRIES

_BEGUN = "tries_begun"
"""The counter with the time at which the present window began."""

_LONGEST = 200
"""Characters of an address; what is longer is no address, and counted together."""


class SharedTries:
    """A row for each address that was wrong in the present window."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            database.insert_new(connection, NewRows(COUNTERS, [{"name": _BEGUN, "value": 0}]))

    def counted(self, address: str) -> tuple[int, int, int]:
        """When the window began, and the tries of one address and of all."""
        begun = sa.select(COUNTERS.c.value).where(COUNTERS.c.name == _BEGUN).scalar_subquery()
        of_one = sa.case((WRONG_TRIES.c.address == address[:_LONGEST], WRONG_TRIES.c.wrong), else_=0)
        query = sa.select(
            begun, *(sa.func.coalesce(sa.func.sum(one), 0) for one in (of_one, WRONG_TRIES.c.wrong))
        )
        with self._database.read() as connection:
            begun_us, tries, of_all = connection.execute(query).one()
        return int(begun_us), int(tries), int(of_all)

    def begin(self, before_us: int, now_us: int) -> None:
        """Begin a window, unless another server did."""
        as_it_was = COUNTERS.c.name == _BEGUN, COUNTERS.c.value == before_us
        with self._database.write() as connection:
            if connection.execute(COUNTERS.update().where(*as_it_was).values(value=now_us)).rowcount:
                connection.execute(WRONG_TRIES.delete())

    def add(self, address: str) -> None:
        """One more."""
        row = WRONG_TRIES.c.address == address[:_LONGEST]
        with self._database.write() as connection:
            new = {"address": address[:_LONGEST], "wrong": 0}
            self._database.insert_new(connection, NewRows(WRONG_TRIES, [new]))
            connection.execute(WRONG_TRIES.update().where(row).values(wrong=WRONG_TRIES.c.wrong + 1))
