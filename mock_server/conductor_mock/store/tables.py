"""The tables of the database. Their names are a file format, whatever the code calls what they hold."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

METADATA = sa.MetaData()

SUM = "sum"
"""The column of a row's checksum (`sums.py`); NULL in rows of before there were any."""

_KEEPS = "keeps"


def _sum() -> sa.Column[str]:
    return sa.Column(SUM, sa.Text, nullable=True)


def _content(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    """A column with the md5 of a content that its rows keep."""
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable, info={_KEEPS: True})


META = sa.Table(
    "meta",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
LOG = sa.Table(
    "log",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("t_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("v", sa.Integer, nullable=False),
    sa.Column("json", sa.Text, nullable=False),
    _content("body_md5", nullable=True),
    _sum(),
)
HEADS = sa.Table(
    "heads",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
"""The last command of each log, so that one is noticed that ends too early."""

SNAPSHOTS = sa.Table(
    "snapshots",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("simulation_version", sa.Integer, nullable=False),
    _content("body_md5"),
    _sum(),
)
ACCOUNT_CONTENTS = sa.Table(
    "holdings",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    _content("md5", primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("t_us", sa.BigInteger, nullable=False),  # simulated: what is stored is billed by the day
    _sum(),
)
OUTPUTS = sa.Table(
    "outputs",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    _content("md5", primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("t_us", sa.BigInteger, nullable=False),
    _sum(),
)
"""Contents that tasks made. They are stored and billed as uploads are, and never mistaken for one."""

MULTIPARTS = sa.Table(
    "multiparts",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("upload_id", sa.Text, primary_key=True),
    sa.Column("md5", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("part_size", sa.BigInteger, nullable=False),
    _sum(),
)
PARTS = sa.Table(
    "parts",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("upload_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("stored_s", sa.BigInteger, nullable=False),  # wall time
    _sum(),
)
"""Parts of uploads that lie in a bucket, each with its name there. Those in a folder have no rows."""

MAIL_STATUSES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("t_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("nth", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),
    _sum(),
)
DECLARATIONS = sa.Table(
    "declarations",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("md5", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
)
FAULTS = sa.Table(
    "faults",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("consumed", sa.BigInteger, nullable=False),
    sa.Column("memory", sa.Text, nullable=False),
)
"""Fault rules of servers that share a database, for as long as one of them runs."""

FAULT_ACCOUNTS = sa.Table(
    "fault_accounts",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("url", sa.BigInteger, nullable=False),
)
"""The accounts that have such rules, and what they were handed out since."""

COUNTERS = sa.Table(
    "counters",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
"""Numbers that servers of one database count up together."""
WRONG_TRIES = sa.Table(
    "wrong_tries",
    METADATA,
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("wrong", sa.BigInteger, nullable=False),
)
"""Wrong tries of the admin token at servers that share a database, in the last minute."""

SMALL_CONTENTS = sa.Table(
    "small_contents",
    METADATA,
    sa.Column("md5", sa.Text, primary_key=True),
    sa.Column("stored_s", sa.BigInteger, nullable=False),  # wall time
    sa.Column("bytes", sa.LargeBinary, nullable=False),
)
"""Contents up to some size: they come in with the row that keeps them, in one commit. The md5 is their checksum."""

KEEPING = tuple(column for table in METADATA.sorted_tables for column in table.c if column.info.get(_KEEPS))
"""The columns that refer to contents: one that none of them names may be removed, and is left out of a copy."""


def complete(connection: sa.Connection, there: Collection[str]) -> None:
    """Make what is missing: all tables of a new database, or what versions since then have added to an older one.

    `there` are the names of its tables. Columns that were added may be NULL, so an older version still reads and writes
    the database.
    """
    for statement in _making(connection.dialect.name):
        connection.exec_driver_sql(statement)
    quote = connection.dialect.identifier_preparer.quote
    inspector = sa.inspect(connection)
    for table in METADATA.sorted_tables:
        if table.name not in there:
            continue
        has = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.c:
            if column.name not in has:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(
                    f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {kind}"
                )


@cache
def _making(dialect: str) -> tuple[str, ...]:
    """What makes the tables that are not there, in SQL: to find that out takes longer than to make them."""
    spoken: sa.Dialect
    if dialect == "sqlite":
        spoken = sqlite.dialect()
    else:
        from sqlalchemy.dialects import postgresql  # only here: a server on SQLite starts without it

        spoken = postgresql.dialect()  # type: ignore[no-untyped-call]
    made: list[sa.schema.CreateTable | sa.schema.CreateIndex] = []
    for table in METADATA.sorted_tables:
        made.append(sa.schema.CreateTable(table, if_not_exists=True))
        made += [sa.schema.CreateIndex(one, if_not_exists=True) for one in sorted(table.indexes, key=str)]
    return tuple(str(one.compile(dialect=spoken)) for one in made)
