"""Fault rules as rows, for servers that share a database.

They are no state of an account: they belong to a run, the servers that run together, and the first of the next run
forgets them. So they have no checksums, and no copy needs them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.tables import COUNTERS, FAULT_ACCOUNTS, FAULTS, META

Row = tuple[int, str, int, int, str]
"""Number, rule, seen, consumed, memory."""

_VERSION, _NUMBER = "faults", "fault_rules"
_RUN = "faults_of"
"""The row of `meta` with the run that the rules belong to."""
_HANDED_OUT = ("token", "url")
_AT_ONCE = 500
_COLUMNS = (FAULTS.c.number, FAULTS.c.rule, FAULTS.c.seen, FAULTS.c.consumed, FAULTS.c.memory)
_ASKED = sa.select(COUNTERS.c.value).where(COUNTERS.c.name == _VERSION)


class FaultRows:
    """The rules of all accounts.

    Each method that writes is one transaction, which begins with a write: that is what SQLite takes its lock for, and
    PostgreSQL the lock of the row. Whoever adds or deletes takes the version's, and only then that of an account.
    """

    def __init__(self, database: Database, run: str) -> None:
        """Forget the rules of other runs than `run`; `is_first` says whether this server is the first of it."""
        self._database = database
        with database.write() as connection:
            rows = [{"name": name, "value": 0} for name in (_VERSION, _NUMBER)]
            database.insert_new(connection, NewRows(COUNTERS, rows))
            _next(connection, _VERSION)  # keeps the others of this run waiting
            name = META.c.name == _RUN
            before = connection.execute(sa.select(META.c.value).where(name)).scalar_one_or_none()
            self.is_first = before != run
            if self.is_first:
                connection.execute(META.delete().where(name))
                connection.execute(META.insert().values(name=_RUN, value=run))
                connection.execute(FAULT_ACCOUNTS.delete())
                connection.execute(FAULTS.delete())

    def version(self) -> int:
        """A number that is another one whenever a rule was added or deleted."""
        asked = self._database.first(_ASKED)
        assert asked is not None  # noqa: S101 - it is made with the first server
        return int(asked[0])

    def accounts(self) -> Collection[str]:
        """The accounts that have rules."""
        with self._database.read() as connection:
            return connection.execute(sa.select(FAULT_ACCOUNTS.c.account)).scalars().all()

    def read(self, account_id: str) -> Sequence[Row]:
        """The rules of an account, in order."""
        query = sa.select(*_COLUMNS).where(FAULTS.c.account == account_id).order_by(FAULTS.c.number)
        with self._database.read() as connection:
            return [_row(*row) for row in connection.execute(query)]

    def is_there(self, account_id: str, number: int) -> bool:
        """Whether a rule was not deleted."""
        query = sa.select(FAULTS.c.number).where(*_is(account_id, number))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def changes(self, accounts: Sequence[str]) -> Mapping[str, tuple[int, int, int]]:
        """Of the rules of each account: the highest number, how many there are, and what they have seen in all."""
        numbers = (sa.func.max(FAULTS.c.number), sa.func.count(), sa.func.sum(FAULTS.c.seen))
        query = sa.select(FAULTS.c.account, *numbers).group_by(FAULTS.c.account)
        with self._database.read() as connection:
            rows = connection.execute(query.where(FAULTS.c.account.in_(accounts)))
            found = {account: (int(last), int(count), int(seen)) for account, last, count, seen in rows}
        return {account: found.get(account, (0, 0, 0)) for account in accounts}

    def add(self, account_id: str, rule: str, *, most: int) -> int | None:
        """Store a rule; its number, or None where the account has `most`."""
        with self._database.write() as connection:
            _next(connection, _VERSION)
            rules = sa.select(sa.func.count()).where(FAULTS.c.account == account_id)
            if connection.execute(rules).scalar_one() >= most:
                return None
            number = _next(connection, _NUMBER)
            new = {"account": account_id, "number": number, "rule": rule, "seen": 0, "consumed": 0}
            connection.execute(FAULTS.insert().values(**new, memory="null"))
            first = {"account": account_id, **dict.fromkeys(_HANDED_OUT, 0)}
            self._database.insert_new(connection, NewRows(FAULT_ACCOUNTS, [first]))
            return number

    @contextmanager
    def turn(
        self, account_id: str, numbers: Collection[int]
    ) -> Iterator[tuple[list[Row], Mapping[str, int]]]:
        """Rules and what was handed out, while no other server counts; what the list holds in the end is stored."""
        with self._database.write() as connection:
            _hold(connection, account_id)
            rows: list[Row] = []
            wanted = sorted(numbers)
            for start in range(0, len(wanted), _AT_ONCE):
                some = FAULTS.c.number.in_(wanted[start : start + _AT_ONCE])
                query = sa.select(*_COLUMNS).where(FAULTS.c.account == account_id, some)
                rows += [_row(*row) for row in connection.execute(query.order_by(FAULTS.c.number))]
            query = sa.select(*(FAULT_ACCOUNTS.c[name] for name in _HANDED_OUT))
            counted = connection.execute(query.where(FAULT_ACCOUNTS.c.account == account_id)).first()
            yield rows, dict(zip(_HANDED_OUT, counted, strict=True)) if counted else {}
            for number, _, seen, consumed, memory in rows:
                change = FAULTS.update().where(*_is(account_id, number))
                connection.execute(change.values(seen=seen, consumed=consumed, memory=memory))

    def hand_out(self, account_id: str, what: str) -> None:
        """Count a token or a URL, if the account has rules."""
        with self._database.write() as connection:
            column = FAULT_ACCOUNTS.c[what]
            connection.execute(
                FAULT_ACCOUNTS.update()
                .where(FAULT_ACCOUNTS.c.account == account_id)
                .values({what: column + 1})
            )

    def clear(self, account_id: str) -> None:
        """Delete the rules and counters of an account."""
        with self._database.write() as connection:
            _next(connection, _VERSION)
            connection.execute(FAULT_ACCOUNTS.delete().where(FAULT_ACCOUNTS.c.account == account_id))
            connection.execute(FAULTS.delete().where(FAULTS.c.account == account_id))


def _row(number: int, rule: str, seen: int, consumed: int, memory: str) -> Row:
    return number, rule, seen, consumed, memory


def _hold(connection: sa.Connection, account_id: str) -> None:
    """Let no other server count for an account, or take its rules away, until the transaction ends."""
    change = FAULT_ACCOUNTS.update().where(FAULT_ACCOUNTS.c.account == account_id)
    connection.execute(change.values(token=FAULT_ACCOUNTS.c.token))


def _next(connection: sa.Connection, name: str) -> int:
    """Count up, and answer the new number."""
    counter = COUNTERS.c.name == name
    connection.execute(COUNTERS.update().where(counter).values(value=COUNTERS.c.value + 1))
    return int(connection.execute(sa.select(COUNTERS.c.value).where(counter)).scalar_one())


def _is(account_id: str, number: int) -> tuple[sa.ColumnElement[bool], ...]:
    return FAULTS.c.account == account_id, FAULTS.c.number == number
