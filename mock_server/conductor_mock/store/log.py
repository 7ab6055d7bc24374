"""The command log: what was accepted, in order, per account. Appending is the only way to change an account.

A record whose JSON is over 64 KiB lies in the object store and the row refers to it by md5 (design, rule 6).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from conductor_mock.farm.commands import Record, decode
from conductor_mock.farm.fold import SIMULATION_VERSION
from conductor_mock.farm import snapshot
from conductor_mock.farm.state import State
from conductor_mock.md5 import from_base64, to_base64
from conductor_mock.store.database import LOG, SNAPSHOTS, Database
from conductor_mock.store.objects import ObjectStore

INLINE_BYTES = 64 * 1024


class Log:
    """The log and the snapshots of every account in one database."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects

    def append(self, account_id: str, record: Record) -> None:
        """Commit one command. It is on disk when this returns; a second record with the same seq is refused."""
        text = _dumps(record.command.to_json())
        body_md5 = None
        if len(text) > INLINE_BYTES:
            body_md5, text = to_base64(self._objects.put_bytes(text.encode("ascii"))), ""
        row = {
            "account": account_id,
            "seq": record.seq,
            "t_us": record.t_us,
            "kind": record.command.kind,
            "v": record.command.version,
            "json": text,
            "body_md5": body_md5,
        }
        with self._database.write() as connection:
            connection.execute(LOG.insert().values(row))

    def read(self, account_id: str, after: int = 0) -> Iterator[Record]:
        """The commands of an account behind the `after`-th, in order. Raises UnknownCommandError."""
        query = sa.select(LOG).where(LOG.c.account == account_id, LOG.c.seq > after).order_by(LOG.c.seq)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield self._record(row)

    def read_one(self, account_id: str, seq: int) -> Record:
        """One command of an account. Raises KeyError."""
        query = sa.select(LOG).where(LOG.c.account == account_id, LOG.c.seq == seq)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise KeyError(seq)
        return self._record(row)

    def accounts(self) -> list[str]:
        """The ids of all accounts, in order."""
        with self._database.read() as connection:
            return list(
                connection.execute(sa.select(LOG.c.account).distinct().order_by(LOG.c.account)).scalars()
            )

    def save_snapshot(self, state: State) -> None:
        """Keep `state` as the truth that later commands build on. Replaces the account's snapshot."""
        md5 = to_base64(self._objects.put_bytes(_dumps(snapshot.write(state)).encode("ascii")))
        with self._database.write() as connection:
            connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.account == state.account_id))
            connection.execute(
                SNAPSHOTS.insert().values(
                    account=state.account_id,
                    seq=state.seq,
                    simulation_version=SIMULATION_VERSION,
                    body_md5=md5,
                )
            )

    def load_snapshot(self, account_id: str) -> State | None:
        """The last snapshot of an account, if there is one."""
        query = sa.select(SNAPSHOTS.c.body_md5).where(SNAPSHOTS.c.account == account_id)
        with self._database.read() as connection:
            md5 = connection.execute(query).scalar_one_or_none()
        if md5 is None:
            return None
        return snapshot.read(json.loads(self._objects.read(from_base64(md5))))

    def forget(self, account_id: str) -> list[str]:
        """Remove an account's commands and snapshot; answers the base64 md5s of the bodies that they referred to."""
        bodies: list[str] = []
        with self._database.write() as connection:
            for table in (LOG, SNAPSHOTS):
                mine = table.c.account == account_id
                query = sa.select(table.c.body_md5).where(mine, table.c.body_md5.is_not(None))
                bodies += connection.execute(query).scalars()
                connection.execute(table.delete().where(mine))
        return bodies

    def _record(self, row: Any) -> Record:
        data = json.loads(self._objects.read(from_base64(row.body_md5)) if row.body_md5 else row.json)
        return Record(row.seq, row.t_us, decode(row.kind, row.v, data))


def _dumps(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
