"""The tables of the database. Their names are a file format, whatever the code calls what they hold."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

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
    sa.Column("body_md5", sa.Text, nullable=True),
)
SNAPSHOTS = sa.Table(
    "snapshots",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("simulation_version", sa.Integer, nullable=False),
    sa.Column("body_md5", sa.Text, nullable=False),
)
ACCOUNT_CONTENTS = sa.Table(
    "holdings",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("md5", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("t_us", sa.BigInteger, nullable=False),  # simulated: what is stored is billed by the day
)
OUTPUTS = sa.Table(
    "outputs",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("md5", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("t_us", sa.BigInteger, nullable=False),
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
)
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
)
DECLARATIONS = sa.Table(
    "declarations",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("md5", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
)
