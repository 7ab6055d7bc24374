"""Looking through a whole data directory for what is not as it was written, and setting it aside.

For `conductor-mock check`: nobody is served meanwhile. What is damaged is named; a repair moves it to `damaged/`, where
people may look at it, and leaves what a server can go on with: an account as it was before its first damaged command, a
file as one that was never sent.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from conductor_mock.store import journal, mail_statuses, schema
from conductor_mock.store.aside import DAMAGED, keep_aside, note_aside, set_aside
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.bucket_sending import is_whole
from conductor_mock.store.content_store import BLOCK
from conductor_mock.store.database import Database, Row
from conductor_mock.store.keys import KeysError, check_keys
from conductor_mock.store.log import DamagedLogError, chain_of
from conductor_mock.store.parts import upload_id_of
from conductor_mock.store.sums import has_sums, row_sum, summed
from conductor_mock.store.sweeper import contents_there, parts_there
from conductor_mock.store.tables import (
    ACCOUNT_CONTENTS,
    HEADS,
    LOG,
    MAIL_STATUSES,
    METADATA,
    MULTIPARTS,
    OUTPUTS,
    PARTS,
    SMALL_CONTENTS,
    SNAPSHOTS,
    SUM,
)
from conductor_mock.wire.md5 import from_base64, to_base64

_AT_ONCE = 100
"""Small contents in memory at a time."""


@dataclass
class Found:
    """What a check came to: sentences on what is damaged, which of them were repaired, and how much was looked at."""

    damages: list[str] = field(default_factory=list)
    repaired: set[str] = field(default_factory=set)
    looked_at: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, *, repaired: bool = False) -> None:
        """One more damage."""
        if what not in self.damages:
            self.damages.append(what)
        if repaired:
            self.repaired.add(what)

    def count(self, what: str, number: int = 1) -> None:
        """So many more things were looked at."""
        self.looked_at[what] = self.looked_at.get(what, 0) + number

    @property
    def left(self) -> list[str]:
        """What is damaged still."""
        return [what for what in self.damages if what not in self.repaired]


def check_directory(directory: Path, database_file: Path | None, *, repair: bool, found: Found) -> None:
    """Look at what is not in the tables: keys, the files of the databases. Before they are opened."""
    try:
        check_keys(directory)
    except KeysError as error:
        found.add(str(error))
    if database_file is not None:
        _check_database_file(database_file, repair=repair, found=found)
    _check_journal(directory, directory / "journal.db", repair=repair, found=found)


def _check_journal(directory: Path, path: Path, *, repair: bool, found: Found) -> None:
    """The journal holds no state: one that is damaged is set aside as a whole."""
    if not path.exists():
        return
    told = Found()
    schema.check_file(path, told.add, is_ours=False)
    try:
        with closing(schema.lenient(sqlite3.connect(path))) as connection:
            for row in connection.execute(f"SELECT {journal.ROW} FROM requests"):  # noqa: S608 - fixed names
                found.count("requests of the journal")
                if not journal.is_whole(row):
                    told.add(f"{path.name}: entry {row[0]} is not what was written")
    except (sqlite3.Error, ValueError) as error:
        if "no such column" not in str(error):  # one of before there were checksums
            told.add(f"{path.name} cannot be read: {error}")
    if told.damages and repair:
        _move(directory, *(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")))
    for what in told.damages:
        found.add(f"{what} (it holds no state)", repaired=repair)


def _check_database_file(file: Path, *, repair: bool, found: Found) -> None:
    told = Found()
    if schema.is_half_rebuilt(file):
        if repair:
            schema.finish_rebuild(file)
        found.add(f"the repair of {file.name} was not finished", repaired=repair)
    if not file.exists():
        return
    schema.check_file(file, told.add)
    is_repaired = False
    if told.damages and repair:
        try:
            is_repaired = schema.rebuild(file) > 0
        except (OSError, sqlite3.Error) as error:
            found.add(f"{file.name} could not be made anew: {error}")
    for what in told.damages:
        found.add(what, repaired=is_repaired)
    if not is_repaired:
        count = Found()
        schema.check_count(file, count.add)
        for what in count.damages:
            found.add(what, repaired=repair)  # the next start counts from what is there


class Checker:
    """Looks at the tables of a database, and the files that they speak of."""

    def __init__(
        self,
        database: Database,
        directory: Path,
        found: Found,
        *,
        repair: bool,
        bucket: BucketObjects | None = None,
    ) -> None:
        """`bucket` is where contents lie, if they are not in the directory."""
        self._bucket = bucket
        self._database = database
        self._directory = directory
        self._found = found
        self._repair = repair
        self._whole: dict[bytes, int] = {}
        """Contents that are there and are what they are named, with their bytes."""

    def check(self) -> None:
        """Look at everything. Raises OSError and SQLAlchemyError for what cannot be looked at at all."""
        self._check_contents()
        self._check_small_contents()
        self._check_parts()
        for table in METADATA.sorted_tables:
            if has_sums(table):
                self._check_rows(table)
        self._check_logs()
        self._check_snapshots()

    # Files

    def _check_contents(self) -> None:
        if self._bucket is not None:
            self._check_bucket(self._bucket)
            return
        for digest, path in contents_there(self._directory):
            self._found.count("contents")
            if _md5_of(path) == digest:
                self._whole[digest] = path.stat().st_size
            else:
                self._set_file_aside(
                    f"the content {to_base64(digest)} (objects/{path.parent.name}/{path.name})", path
                )

    def _check_small_contents(self) -> None:
        damaged: list[Row] = []
        with self._lenient() as connection:
            rows = connection.execution_options(yield_per=_AT_ONCE).execute(sa.select(SMALL_CONTENTS))
            for row in rows:
                self._found.count("contents")
                data = row.bytes
                if isinstance(data, bytes) and row.md5 == to_base64(_md5_of_bytes(data)):
                    self._whole[_md5_of_bytes(data)] = len(data)
                else:
                    damaged.append(dict(row._mapping))
        for one in damaged:
            data = one["bytes"]
            if self._repair and isinstance(data, bytes):
                keep_aside(data, self._directory / DAMAGED / f"content-{_md5_of_bytes(data).hex()}")
            what = f"the content {one['md5']} (in {SMALL_CONTENTS.name}) is not what was stored"
            self._replace(SMALL_CONTENTS, {**one, "bytes": ""}, what, None)

    def _check_bucket(self, bucket: BucketObjects) -> None:
        for digest, found in bucket.listed():
            self._found.count("contents")
            if bucket.is_whole(digest):
                self._whole[digest] = found.size
                continue
            if self._repair:
                bucket.set_aside(digest)
            what = f"the content {to_base64(digest)} in {bucket.bucket.location} is not what was stored"
            self._found.add(what, repaired=self._repair)

    def _check_parts(self) -> None:
        for path in parts_there(self._directory):
            self._found.count("parts")
            if _md5_of(path).hex() != path.name.partition("-")[2]:
                self._set_file_aside(f"a part of an upload ({path.relative_to(self._directory)})", path)

        if self._bucket is not None:
            self._check_parts_in(self._bucket)

    def _check_parts_in(self, bucket: BucketObjects) -> None:
        """Those in a bucket. One that is damaged goes, and is sent again."""
        for row in self._rows(sa.select(PARTS)):
            if row[SUM] != row_sum(PARTS, row):
                continue  # what it names is not known
            self._found.count("parts")
            if not is_whole(bucket.bucket, row["name"], bytes.fromhex(row["etag"])):
                what = f"part {row['number']} of the upload {row['upload_id']} in {bucket.bucket.location}"
                self._replace(PARTS, row, f"{what} is not what was stored", None)

    def _set_file_aside(self, what: str, path: Path) -> None:
        if self._repair:
            _move(self._directory, path)
        self._found.add(f"{what} is not what was stored", repaired=self._repair)

    def _is_whole(self, md5: str) -> bool:
        try:
            return from_base64(md5) in self._whole
        except (TypeError, ValueError):  # what lies there is no text, or none of ours
            return False

    # Rows

    def _check_rows(self, table: sa.Table) -> None:
        """Rows that have a checksum of their own, and the contents that those of accounts speak of."""
        for row in self._rows(sa.select(table)):
            self._found.count("rows")
            key = ", ".join(str(row[column.name]) for column in table.primary_key)
            if row[SUM] is not None and row[SUM] != row_sum(table, row):
                self._replace(
                    table, row, f"the row {key} of {table.name} is damaged", self._corrected(table, row)
                )
            elif table in (ACCOUNT_CONTENTS, OUTPUTS) and not self._is_whole(row["md5"]):
                self._replace(
                    table, row, f"the content {row['md5']} of account {row['account']} is not there", None
                )

    def _corrected(self, table: sa.Table, row: Row) -> Row | None:
        """The row as it can be had from elsewhere; None where it cannot."""
        if table is MAIL_STATUSES:  # sent or not: nobody knows, so it is not sent again
            return {**row, "state": mail_statuses.UNKNOWN, "error": "", "tries": 0, "next_us": 0}
        if table in (ACCOUNT_CONTENTS, OUTPUTS) and self._is_whole(row["md5"]):
            size = self._whole[from_base64(row["md5"])]
            t_us = row["t_us"] if isinstance(row["t_us"], int) else 0
            return {**row, "size": size, "t_us": t_us}
        if table is MULTIPARTS and upload_id_of(*(row[name] for name in _OF_UPLOADS)) == row["upload_id"]:
            return row
        return None

    def _replace(self, table: sa.Table, row: Row, what: str, by: Row | None) -> None:
        if self._repair:
            self._note_aside(table.name, [row])
            with self._database.write() as connection:
                connection.execute(table.delete().where(*_is(table, row)))
                if by is not None:
                    connection.execute(table.insert().values(summed(table, by)))
        self._found.add(what, repaired=self._repair)

    # Logs

    def _check_logs(self) -> None:
        with self._lenient() as connection:
            ends = {row.account: row.seq for row in connection.execute(sa.select(HEADS))}
            accounts = sorted({*ends, *connection.execute(sa.select(LOG.c.account).distinct()).scalars()})
        for account_id in accounts:
            self._found.count("accounts")
            self._check_log(account_id, ends.get(account_id, 0))

    def _check_log(self, account_id: str, end: int) -> None:
        rows = list(self._rows(sa.select(LOG).where(LOG.c.account == account_id).order_by(LOG.c.seq)))
        self._found.count("commands", len(rows))
        last, damaged = 0, None
        try:
            for row in chain_of(account_id, rows, 0, end):
                if row["body_md5"] is not None and not self._is_whole(row["body_md5"]):
                    damaged = f"the body of command {row['seq']}"
                    break
                last = row["seq"]
        except DamagedLogError as error:
            damaged = error.what
        if damaged is not None:
            self._cut(account_id, damaged, last, rows)
            return
        if (
            end and end < last and rows[end][SUM] is not None
        ):  # an older version notes no ends, and no checksums
            if self._repair:
                with self._database.write() as connection:
                    _end_at(connection, account_id, last)
            self._found.add(
                f"the end of the log of account {account_id} is noted wrongly", repaired=self._repair
            )

    def _cut(self, account_id: str, what: str, last: int, rows: list[Row]) -> None:
        """The account as it was after its `last` whole command; the rest is set aside."""
        snapshot = self._snapshot_of(account_id)
        if snapshot is not None and snapshot["seq"] > last + 1 and len(rows) >= snapshot["seq"]:
            # What came of it is in the snapshot. To go back behind it would lose more than the command.
            self._found.add(
                f"{what} of account {account_id} is damaged; a snapshot holds what came of it, but the command itself "
                "cannot be shown any more"
            )
            return
        if self._repair:
            gone = [row for row in rows if not isinstance(row["seq"], int) or row["seq"] > last]
            self._note_aside(LOG.name, gone)
            with self._database.write() as connection:
                connection.execute(
                    LOG.delete().where(LOG.c.account == account_id, sa.not_(LOG.c.seq <= last))
                )
                if last == 0 or (snapshot is not None and snapshot["seq"] > last):
                    connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.account == account_id))
                _end_at(connection, account_id, last)
        self._found.add(f"{what} of account {account_id} is damaged", repaired=self._repair)

    def _snapshot_of(self, account_id: str) -> Row | None:
        for row in self._rows(sa.select(SNAPSHOTS).where(SNAPSHOTS.c.account == account_id)):
            is_right = row[SUM] is None or row[SUM] == row_sum(SNAPSHOTS, row)
            return row if is_right and self._is_whole(row["body_md5"]) else None
        return None

    def _check_snapshots(self) -> None:
        for row in list(self._rows(sa.select(SNAPSHOTS))):
            self._found.count("snapshots")
            if not self._is_whole(row["body_md5"]):
                what = f"the snapshot of account {row['account']} is damaged or gone; its log is replayed instead"
                self._replace(SNAPSHOTS, row, what, None)

    # The database

    @contextmanager
    def _lenient(self) -> Iterator[sa.Connection]:
        with self._database.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            if self._database.backend == "sqlite":
                schema.lenient(raw)  # type: ignore[arg-type]  # SQLAlchemy names no driver
            try:
                yield connection
            finally:
                if self._database.backend == "sqlite":
                    raw.text_factory = str  # type: ignore[union-attr]

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        with self._lenient() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def _note_aside(self, table: str, rows: Iterable[Row]) -> None:
        """Write rows down before they go."""
        lines = [json.dumps({name: _shown(value) for name, value in row.items()}) for row in rows]
        note_aside(lines, self._directory / DAMAGED / f"{table}.jsonl")


def _end_at(connection: sa.Connection, account_id: str, last: int) -> None:
    connection.execute(HEADS.delete().where(HEADS.c.account == account_id))
    if last:
        connection.execute(HEADS.insert().values(account=account_id, seq=last))


_OF_UPLOADS = ("account", "md5", "size", "part_size")


def _is(table: sa.Table, row: Row) -> list[sa.ColumnElement[bool]]:
    return [column == row[column.name] for column in table.primary_key]


def _shown(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _md5_of_bytes(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _md5_of(path: Path) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.digest()


def _move(directory: Path, *paths: Path) -> None:
    for path in paths:
        set_aside(path, directory / DAMAGED)
