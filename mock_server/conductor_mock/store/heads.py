"""The end of each log, noted beside it: a log that ends before it has lost commands."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.store.prepared import Prepared
from conductor_mock.store.tables import HEADS, LOG, SUM

_SUM = sa.select(LOG.c[SUM]).where(LOG.c.account == sa.bindparam("account"), LOG.c.seq == sa.bindparam("seq"))
NOTED = sa.select(HEADS.c.seq).where(HEADS.c.account == sa.bindparam("account"))
_MOVE = (
    HEADS.update()
    .where(HEADS.c.account == sa.bindparam("whose"), HEADS.c.seq < sa.bindparam("end"))
    .values(seq=sa.bindparam("end"))
)
END = (
    sa.select(LOG.c.seq, LOG.c[SUM])
    .where(LOG.c.account == sa.bindparam("account"))
    .order_by(LOG.c.seq.desc())
    .limit(1)
)
_ENDS = (
    sa.select(LOG.c.account, LOG.c.seq, LOG.c[SUM])
    .join(HEADS, sa.and_(HEADS.c.account == LOG.c.account, HEADS.c.seq == LOG.c.seq))
    .where(HEADS.c.account.in_(sa.bindparam("accounts", expanding=True)))
)
"""Made once: to make them takes longer than to run them."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a log ends. Its checksum is made of all before it: two logs with the same end are the same log."""

    seq: int
    sum: str | None

    def __str__(self) -> str:
        return f"{self.seq}.{(self.sum or '')[:8]}"


class MovedLogError(OSError):
    """Another server has written to a log whose lock this one had lost."""

    def __init__(self, account_id: str) -> None:
        super().__init__(
            errno.ESTALE, f"the lock of account {account_id} was lost, and another server has it; ask again"
        )


def ends_of(connection: sa.Connection, accounts: Sequence[str]) -> dict[str, End]:
    """Where the logs of accounts end now, in one query; those whose end nobody noted are left out."""
    rows = connection.execute(_ENDS, {"accounts": accounts})
    return {account: End(seq, total) for account, seq, total in rows}


def noted(connection: sa.Connection, account_id: str) -> int:
    """The number of the last command when the log was last written to; 0 where nobody noted it."""
    return connection.execute(NOTED, {"account": account_id}).scalar_one_or_none() or 0


class Ends:
    """What each command that is appended asks and says of the end of its log, as the driver takes it."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._sum = Prepared(_SUM, dialect)
        self._move = Prepared(_MOVE, dialect)
        self._begin = Prepared(HEADS.insert(), dialect)

    def sum_of(self, connection: sa.Connection, account_id: str, seq: int) -> str | None:
        """The checksum of a command, to which the next one is chained; None for one without, and before the first.

        Raises MovedLogError where it is not there any more.
        """
        row = self._sum.first(connection, {"account": account_id, "seq": seq})
        if row is None and seq:
            raise MovedLogError(account_id)
        return None if row is None else str(row[0]) if row[0] is not None else None

    def move(self, connection: sa.Connection, account_id: str, seq: int) -> None:
        """Note the end that a log has after this transaction. IntegrityError where somebody else has come as far."""
        if not self._move.run(connection, [{"whose": account_id, "end": seq}]):
            self._begin.run(connection, [{"account": account_id, "seq": seq}])
