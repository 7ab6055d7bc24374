"""Which account holds which content, and under which paths it was declared.

Insert-only tables beside the log (design, rule 6): what an account holds never depends on simulated time, so the fold
need not know it. Only a reset removes rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from conductor_mock.settings import Quotas
from conductor_mock.store.content_store import ContentStore, NewContent
from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.objects import AT_ONCE
from conductor_mock.store.quotas import NewBytes, StoredBytes
from conductor_mock.store.tables import ACCOUNT_CONTENTS, DECLARATIONS, KEEPING, OUTPUTS
from conductor_mock.store.trouble import UnavailableError
from conductor_mock.wire.md5 import from_base64, to_base64

NO_OTHER = Quotas()
_CHUNK = 500
"""Values in one SQL `IN`; SQLite and PostgreSQL both take more."""

_HELD = sa.select(ACCOUNT_CONTENTS.c.md5).where(
    ACCOUNT_CONTENTS.c.account == sa.bindparam("account"),
    ACCOUNT_CONTENTS.c.md5.in_(sa.bindparam("md5s", expanding=True)),
)
"""Made once: to make it takes longer than to run it."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
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
class Inventory:
    """Everything that an account stores: what was uploaded, what tasks made, and `(base64 md5, path)` declared."""

    uploads: tuple[Content, ...] = ()
    outputs: tuple[Content, ...] = ()
    declared: tuple[tuple[str, str], ...] = ()


class AccountContents:
    """The contents of one server's object store, seen by account."""

    def __init__(self, database: Database, objects: ContentStore, quotas: Quotas = NO_OTHER) -> None:
        self._database = database
        self._objects = objects
        self.stored_bytes = StoredBytes(
            database, objects.root / "parts", quotas, is_shared=database.locks is not None
        )

    def held(
        self, account_id: str, md5s: Collection[str], before_waiting: Callable[[], object] = lambda: None
    ) -> set[str]:
        """Those of some base64 md5s whose content this account holds: it has its row, and lies in the store.

        One that was set aside as damaged is thus asked for again. `before_waiting` is called before a store on another
        machine is asked.
        """
        held: set[str] = set()
        if not md5s:
            return held
        asked = list(md5s)
        with self._database.read() as connection:
            for start in range(0, len(asked), _CHUNK):
                values = {"account": account_id, "md5s": asked[start : start + _CHUNK]}
                held.update(connection.execute(_HELD, values).scalars())
        there = self._objects.still_there({from_base64(md5) for md5 in held}, before_waiting)
        return {to_base64(md5) for md5 in there}

    def declare(self, account_id: str, files: Iterable[tuple[str, str]]) -> None:
        """Remember under which paths contents are wanted: `(path, base64 md5)` each."""
        rows = self.declarations(account_id, files)
        with self._database.write() as connection:
            self._database.insert_new(connection, rows)

    def declarations(self, account_id: str, files: Iterable[tuple[str, str]]) -> NewRows:
        """The rows of `declare`, to be committed with a command."""
        rows = [{"account": account_id, "md5": md5, "path": path} for path, md5 in files]
        return NewRows(DECLARATIONS, rows)

    def add_upload(self, account_id: str, content: NewContent, *, t_us: int) -> None:
        """Store a content that the account sent at a simulated time; it and its row are on disk when this returns.

        Raises QuotaError.
        """
        md5 = to_base64(content.md5)
        row = {"account": account_id, "md5": md5, "size": content.size, "t_us": t_us}

        def note(connection: sa.Connection) -> None:
            content.join(connection)
            self._database.insert_new(connection, NewRows(ACCOUNT_CONTENTS, [row]))

        with self.stored_bytes.reserve(account_id, [NewBytes(content.size, (ACCOUNT_CONTENTS, md5))]):
            try:
                with content.placed():
                    self._database.commit_with_others(note)
            except UnavailableError:  # what it stored after all is for the sweeper
                raise
            except BaseException:
                self.collect([md5])
                raise

    def add_output(self, account_id: str, blocks: Iterable[bytes], *, t_us: int) -> Content:
        """Store what a task made; it is on disk when this returns. Raises QuotaError."""
        with self._objects.write(blocks) as new:
            return self.keep_output(account_id, new, t_us=t_us)

    def keep_output(self, account_id: str, new: NewContent, *, t_us: int) -> Content:
        """Store a content that a task made; it is on disk when this returns. Raises QuotaError."""
        content = Content(to_base64(new.md5), new.size, t_us)
        with (
            self.stored_bytes.reserve(account_id, _wanted(content)),
            new.placed(),
            self._database.write() as connection,
        ):
            new.join(connection)
            self._database.insert_new(connection, _rows(OUTPUTS, account_id, [content]))
        return content

    def add_outputs(self, account_id: str, made: Iterable[bytes], *, t_us: int) -> list[Content]:
        """Store many small things that tasks made, some at a time; on disk when this returns. Raises QuotaError."""
        contents: list[Content] = []
        waiting = iter(made)
        while some := list(islice(waiting, AT_ONCE)):
            with ExitStack() as files:
                new = [files.enter_context(self._objects.write([data])) for data in some]
                stored = [Content(to_base64(one.md5), one.size, t_us) for one in new]
                with (
                    self.stored_bytes.reserve(account_id, _wanted(*stored)),
                    self._objects.placed_together(new),
                    self._database.write() as connection,
                ):
                    for one in new:
                        one.join(connection)
                    self._database.insert_new(connection, _rows(OUTPUTS, account_id, stored))
            contents += stored
        return contents

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

    def totals(self) -> tuple[int, int]:
        """How many uploads and outputs all accounts store together, and their bytes."""
        with self._database.read() as connection:
            rows = [
                connection.execute(
                    sa.select(sa.func.count(), sa.func.sum(table.c.size)).select_from(table)
                ).one()
                for table in (ACCOUNT_CONTENTS, OUTPUTS)
            ]
        return sum(count for count, _ in rows), sum(int(size or 0) for _, size in rows)

    def files(self, account_id: str) -> list[UploadedFile]:
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
            return [UploadedFile(*row) for row in connection.execute(query)]

    def inventory(self, account_id: str) -> Inventory:
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
        return Inventory(uploads, outputs, declared)

    def add_inventory(self, connection: sa.Connection, account_id: str, inventory: Inventory) -> None:
        """Note that the account has these; their contents lie in the store already, and have room (`reserve`)."""
        self._database.insert_new(connection, _rows(ACCOUNT_CONTENTS, account_id, inventory.uploads))
        self._database.insert_new(connection, _rows(OUTPUTS, account_id, inventory.outputs))
        declared = ((path, md5) for md5, path in inventory.declared)
        self._database.insert_new(connection, self.declarations(account_id, declared))

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
        self.stored_bytes.forget(account_id)

    def collect(self, md5s: Collection[str]) -> int:
        """Remove those of some contents (base64 md5s) that neither an account, a command nor a snapshot refers to.

        Answers how many.
        """
        with self._objects.lock.alone():
            return self._delete_unreferenced(md5s)

    def _delete_unreferenced(self, md5s: Collection[str]) -> int:
        unreferenced = [from_base64(md5) for md5 in self._unreferenced(list(md5s))]
        self._objects.delete_all(unreferenced)
        return len(unreferenced)

    def _unreferenced(self, md5s: list[str]) -> Iterator[str]:
        with self._database.read() as connection:
            for start in range(0, len(md5s), _CHUNK):
                chunk = md5s[start : start + _CHUNK]
                used = {
                    value
                    for column in KEEPING
                    for value in connection.execute(sa.select(column).where(column.in_(chunk))).scalars()
                }
                yield from (md5 for md5 in chunk if md5 not in used)


def _wanted(*outputs: Content) -> list[NewBytes]:
    return [NewBytes(one.size, (OUTPUTS, one.md5)) for one in outputs]


def _rows(table: sa.Table, account_id: str, contents: Iterable[Content]) -> NewRows:
    rows = [
        {"account": account_id, "md5": content.md5, "size": content.size, "t_us": content.t_us}
        for content in contents
    ]
    return NewRows(table, rows)
