"""Checksums of rows: a changed byte in the database is noticed when the row is read, and is not another history.

Rows of the log are chained: the checksum of each is made of its own values and of the checksum before it, along its
account. So a row that is gone, or has changed places, is noticed as one is that has changed. Rows that an earlier
version wrote have none (NULL); they are read as they are, and a chain begins again behind them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from conductor_mock.store.tables import LOG, SUM

_BYTES = 8
"""Against accidents, not against an enemy, who could write the checksum too."""


def summed(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its checksum, if its table has some that stand for themselves."""
    if not has_sums(table):
        return dict(row)
    return {**row, SUM: row_sum(table, row)}


def has_sums(table: sa.Table) -> bool:
    """Whether each row of a table has a checksum of its own: where its key says all, the index says it again."""
    return SUM in table.c and table is not LOG


def row_sum(table: sa.Table, row: Mapping[str, Any]) -> str:
    """The checksum of one row."""
    return _hash(table.name, *(row[column.name] for column in table.c if column.name != SUM))


def chained(previous: str | None, row: Mapping[str, Any]) -> str:
    """The checksum of a row of the log behind one with the checksum `previous` (none: it is the first)."""
    return _hash(previous or "", *(row[column.name] for column in LOG.c if column.name != SUM))


def fits(previous: str | None, row: Mapping[str, Any]) -> bool:
    """Whether a row of the log is what was written behind the row with the checksum `previous`."""
    return row[SUM] is None or row[SUM] == chained(previous, row)


def _hash(*values: object) -> str:
    text = "\0".join(f"{type(value).__name__[0]}{value}" for value in values)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).hexdigest()
