"""Which account holds which content, and under which paths it was declared.

Insert-only tables beside the log (design, rule 6): what an account holds never depends on simulated time, so the fold
need not know it. Only a reset removes rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.md5 import from_base64, to_base64
from conductor_mock.store.database import ACCOUNT_CONTENTS, DECLARATIONS, LOG, OUTPUTS, SNAPSHOTS, Database
from conductor_mock.store.group_commit import GroupCommit, Row
from conductor_mock.store.objects import ObjectStore, Readable

Now = Callable[[], int]

_CHUNK = 500
"""Values in one SQL `IN`; SQLite and PostgreSQL both take more."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A path that an account declared, with the base64 md5 and size of the content it holds for it."""

    path: str
    md5: str
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """A content that an account stores: its base64 md5, its bytes, and the simulated time since when."""

    md5: str
    size: int
    t_us: int


@dataclass(frozen=True, slots=True)
class Belongings:
    """Everything that an account stores: what was uploaded, what tasks made, and `(base64 md5, path)` declared."""

    uploads: tuple[Content, ...] = ()
    outputs: tuple[Content, ...] = ()
    declared: tuple[tuple[str, str], ...] = ()


class AccountContents:
    """The contents of one server's object store, seen by account."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects
        self._held = GroupCommit(self._hold)

    def held(self, account_id: str, md5s: Collection[str]) -> set[str]:
        """Those of some base64 md5s whose content this account holds."""
        found: set[str] = set()
        wanted = list(md5s)
        with self._database.read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                query = sa.select(ACCOUNT_CONTENTS.c.md5).where(
                    ACCOUNT_CONTENTS.c.account == account_id,
                    ACCOUNT_CONTENTS.c.md5.in_(wanted[start : start + _CHUNK]),
                )
                found.update(connection.execute(query).scalars())
        return found

    def declare(self, account_id: str, files: Iterable[tuple[str, str]]) -> None:
        """Remember under which paths contents are wanted: `(path, base64 md5)` each."""
        rows = [{"account": account_id, "md5": md5, "path": path} for path, md5 in files]
        with self._database.write() as connection:
            self._database.insert_new(connection, DECLARATIONS, rows)

    def put(self, account_id: str, stream: Readable, *, md5: bytes, size: int | None, now_us: Now) -> int:
        """Store a body and note that the account holds it; both are on disk when this returns. Answers its size.

        `now_us` gives the account's simulated time once the body is there.
        Raises WrongContentError and OSError as `ObjectStore.receive` does.
        """
        with self._objects.receive(stream, md5=md5, size=size) as received:
            # Before `keep` and its lock: this takes the account's, which a reset holds when it comes to that lock.
            row = {"account": account_id, "md5": to_base64(md5), "size": received.size, "t_us": now_us()}

            try:
                received.keep(lambda: self._held.add(row))
            except BaseException:
                self.collect([to_base64(md5)])
                raise
        return received.size

    def _hold(self, rows: list[Row]) -> None:
        with self._database.write() as connection:
            self._database.insert_new(connection, ACCOUNT_CONTENTS, rows)

    def held_md5(self, account_id: str, path: str) -> str | None:
        """The base64 md5 of a held content that was declared for `path`, if there is one."""
        query = (
            sa.select(ACCOUNT_CONTENTS.c.md5)
            .join(
                DECLARATIONS,
                (ACCOUNT_CONTENTS.c.account == DECLARATIONS.c.account)
                & (ACCOUNT_CONTENTS.c.md5 == DECLARATIONS.c.md5),
            )
            .where(DECLARATIONS.c.account == account_id, DECLARATIONS.c.path == path)
            .order_by(ACCOUNT_CONTENTS.c.t_us.desc(), ACCOUNT_CONTENTS.c.md5)
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def put_output(self, account_id: str, data: bytes, *, now_us: int) -> str:
        """Store what a task made and answer its base64 md5; it is on disk when this returns."""

        def refer(md5: bytes) -> None:
            row = {"account": account_id, "md5": to_base64(md5), "size": len(data), "t_us": now_us}
            with self._database.write() as connection:
                self._database.insert_new(connection, OUTPUTS, [row])

        return to_base64(self._objects.put_bytes(data, refer=refer))

    def put_output_stream(self, account_id: str, stream: Readable, *, now_us: int) -> tuple[str, int]:
        """`put_output` for what does not fit in memory: answers the base64 md5 and the size."""

        def refer(md5: bytes, size: int) -> None:
            row = {"account": account_id, "md5": to_base64(md5), "size": size, "t_us": now_us}
            with self._database.write() as connection:
                self._database.insert_new(connection, OUTPUTS, [row])

        md5, size = self._objects.put_stream(stream, refer=refer)
        return to_base64(md5), size

    def stored(self, account_id: str) -> list[tuple[int, int]]:
        """`(simulated microsecond, bytes)` of everything that the account stores, uploads and outputs."""
        with self._database.read() as connection:
            return [
                (row.t_us, row.size)
                for table in (ACCOUNT_CONTENTS, OUTPUTS)
                for row in connection.execute(
                    sa.select(table.c.t_us, table.c.size).where(table.c.account == account_id)
                )
            ]

    def files(self, account_id: str) -> list[HeldFile]:
        """Every declared path whose content the account holds, by path."""
        query = (
            sa.select(DECLARATIONS.c.path, ACCOUNT_CONTENTS.c.md5, ACCOUNT_CONTENTS.c.size)
            .join(
                ACCOUNT_CONTENTS,
                (ACCOUNT_CONTENTS.c.account == DECLARATIONS.c.account)
                & (ACCOUNT_CONTENTS.c.md5 == DECLARATIONS.c.md5),
            )
            .where(ACCOUNT_CONTENTS.c.account == account_id)
            .order_by(DECLARATIONS.c.path, ACCOUNT_CONTENTS.c.md5)
        )
        with self._database.read() as connection:
            return [HeldFile(*row) for row in connection.execute(query)]

    def belongings(self, account_id: str) -> Belongings:
        """Everything that the account stores, each list by md5."""
        with self._database.read() as connection:
            uploads, outputs = (
                tuple(
                    Content(*row)
                    for row in connection.execute(
                        sa.select(table.c.md5, table.c.size, table.c.t_us)
                        .where(table.c.account == account_id)
                        .order_by(table.c.md5)
                    )
                )
                for table in (ACCOUNT_CONTENTS, OUTPUTS)
            )
            query = (
                sa.select(DECLARATIONS.c.md5, DECLARATIONS.c.path)
                .where(DECLARATIONS.c.account == account_id)
                .order_by(DECLARATIONS.c.md5, DECLARATIONS.c.path)
            )
            declared = tuple((row.md5, row.path) for row in connection.execute(query))
        return Belongings(uploads, outputs, declared)

    def give(self, connection: sa.Connection, account_id: str, belongings: Belongings) -> None:
        """Note that the account has these; their contents lie in the store already."""
        for table, contents in ((ACCOUNT_CONTENTS, belongings.uploads), (OUTPUTS, belongings.outputs)):
            rows = [
                {"account": account_id, "md5": one.md5, "size": one.size, "t_us": one.t_us}
                for one in contents
            ]
            self._database.insert_new(connection, table, rows)
        rows = [{"account": account_id, "md5": md5, "path": path} for md5, path in belongings.declared]
        self._database.insert_new(connection, DECLARATIONS, rows)

    def forget(self, account_id: str) -> None:
        """Remove what an account holds, and the contents that nothing else refers to."""
        with self._objects.lock.alone():
            with self._database.write() as connection:
                md5s: list[str] = []
                for table in (ACCOUNT_CONTENTS, OUTPUTS):
                    mine = table.c.account == account_id
                    md5s += connection.execute(sa.select(table.c.md5).where(mine)).scalars()
                    connection.execute(table.delete().where(mine))
                connection.execute(DECLARATIONS.delete().where(DECLARATIONS.c.account == account_id))
            self._delete_unreferenced(md5s)

    def collect(self, md5s: Collection[str]) -> None:
        """Remove those of some contents (base64 md5s) that neither an account, a command nor a snapshot refers to."""
        with self._objects.lock.alone():
            self._delete_unreferenced(md5s)

    def _delete_unreferenced(self, md5s: Collection[str]) -> None:
        for md5 in self._unreferenced(list(md5s)):
            self._objects.delete(from_base64(md5))

    def _unreferenced(self, md5s: list[str]) -> Iterator[str]:
        columns = (ACCOUNT_CONTENTS.c.md5, OUTPUTS.c.md5, LOG.c.body_md5, SNAPSHOTS.c.body_md5)
        with self._database.read() as connection:
            for start in range(0, len(md5s), _CHUNK):
                chunk = md5s[start : start + _CHUNK]
                used = {
                    value
                    for column in columns
                    for value in connection.execute(sa.select(column).where(column.in_(chunk))).scalars()
                }
                yield from (md5 for md5 in chunk if md5 not in used)
