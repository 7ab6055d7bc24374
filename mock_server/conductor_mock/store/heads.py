"""The end of each log, noted beside it: a log that ends before it has lost commands."""

from __future__ import annotations

import sqlalchemy as sa

from conductor_mock.store.tables import HEADS, LOG, SUM

_SUM = sa.select(LOG.c[SUM]).where(LOG.c.account == sa.bindparam("account"), LOG.c.seq == sa.bindparam("seq"))
_NOTED = sa.select(HEADS.c.seq).where(HEADS.c.account == sa.bindparam("account"))
_MOVE = HEADS.update().where(HEADS.c.account == sa.bindparam("whose")).values(seq=sa.bindparam("end"))
_BEGIN = HEADS.insert()
"""Made once: to make them takes longer than to run them."""


def sum_of(connection: sa.Connection, account_id: str, seq: int) -> str | None:
    """The checksum of a command, which the next one is chained to; None for one that is not there, or has none."""
    return connection.execute(_SUM, {"account": account_id, "seq": seq}).scalar_one_or_none()


def noted(connection: sa.Connection, account_id: str) -> int:
    """The number of the last command when the log was last written to; 0 where nobody noted it."""
    return connection.execute(_NOTED, {"account": account_id}).scalar_one_or_none() or 0


def move(connection: sa.Connection, account_id: str, seq: int) -> None:
    """Note the end that a log has after this transaction."""
    if not connection.execute(_MOVE, {"whose": account_id, "end": seq}).rowcount:
        connection.execute(_BEGIN, {"account": account_id, "seq": seq})
