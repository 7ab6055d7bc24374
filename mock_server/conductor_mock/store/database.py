"""The database of one server: SQLite by default, any PostgreSQL or SQLite URL for a shared one.

One process owns a database at a time; the second is told so by name instead of waiting (design, rule 3). Or several
servers share it, if each of them was told to: the first one prepares it alone, then there are locks between them.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import filelock
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from conductor_mock.store import commits, schema
from conductor_mock.store.database_url import DatabaseError, one_file, parse_url, without_password
from conductor_mock.store.driver import Answer
from conductor_mock.store.durable import private_database
from conductor_mock.store.group_commit import GroupCommit
from conductor_mock.store.locks import FileLocks, Level, Locks
from conductor_mock.store.ownership import (
    LOOK_EVERY_S,
    PREPARING_S,
    NotToBeSharedError,
    Ownership,
    OwnershipLostError,
    in_use,
    lock_file,
    share_file,
)
from conductor_mock.store.prepared import Prepared
from conductor_mock.store.questions import Questions
from conductor_mock.store.sums import summed
from conductor_mock.store.tables import META, METADATA, complete
from conductor_mock.store.trouble import first_line, is_unknown
from conductor_mock.store.unavailable import TakesNoWritesError

log = logging.getLogger(__name__)

SCHEMA_VERSION = 3
"""2: small contents lie in a table. 3: beside a bucket, too, and files lie in one folder. A version before would not
find them.
"""
_PG_LOCK = 0x436F6E64
"""The key of the advisory lock that a server holds on a PostgreSQL database."""

_POOL: Mapping[str, int] = {"pool_size": 3, "max_overflow": 5, "pool_timeout": 300}
"""Connections of a server that shares PostgreSQL: all its servers together have as many as that takes, 100 usually."""

_READ_ONLY = sa.text("SHOW transaction_read_only")

_RUN = "run"
"""The row of `meta` with the name of the present run of servers."""

Row = dict[str, Any]

Work = Callable[[sa.Connection], None]
"""What is to be done in a transaction."""


@dataclass(frozen=True, slots=True)
class NewRows:
    """Rows for a table; those whose key is there already are left as they are."""

    table: sa.Table
    rows: list[Row]


class Database:
    """An engine, the right to write to it, and the tables above."""

    def __init__(
        self, url: str | sa.URL, *, durable: bool = True, counts: bool = True, shared: bool = False
    ) -> None:
        """Open the database at a SQLAlchemy URL, as a text or made by `of_file`, and take ownership of it.

        Raises DatabaseError. With `shared` it belongs to all servers that share it; `locks` are those between them.
        A SQLite one that is not `durable` does not wait for the disk: it is thrown away with its server. One that
        `counts` its transactions says so when the last ones are gone (`commits.py`).
        """
        # FULL: a commit is on disk before the answer is sent
        self._synchronous = "FULL" if durable else "OFF"
        parsed = parse_url(url)
        self.backend = parsed.get_backend_name()
        self.shown_url = without_password(parsed)
        self._write_lock = threading.Lock()
        self._holding = threading.Lock()
        self._is_held = True
        self._group: GroupCommit[Work] = GroupCommit(self._commit, is_unknown)
        self._inserts: dict[str, Prepared] = {}
        self._shared = shared
        self._owned_by_all: Ownership | None = None
        self.locks: Locks | None = None
        """The locks between the servers that share the database; None for one that has it alone."""
        self.is_new = False
        """Whether it had none of our tables when it was opened: then there is nothing in it to look for."""
        self.run = ""
        """Which run of servers that share it this is: from the first that came until the last one went."""
        self.on_rejoin: Callable[[sa.Connection, str], None] = lambda *_: None
        """Called in a transaction with the name of a run that others have begun without this server, while the
        database was away. Raises OwnershipLostError where it cannot be one of them.
        """
        self._file_lock: filelock.BaseFileLock | None = None
        self._held: sa.Connection | None = None
        self._writer: sa.Connection | None = None
        self._questions: Questions | None = None
        self._counted_file: Path | None = None
        self._commits: commits.Commits | None = None
        self.engine = self._connect(parsed)
        owned = self._ownership()
        try:
            if self.backend == "sqlite":
                # To take one from the pool and give it back costs as much as a commit.
                self._writer = self.engine.connect()
            self._check_version()
            if owned is not None:
                self._begin_to_share(owned)
            if durable and counts:
                self._count_from_here()
            if owned is not None and owned.is_first:
                owned.share()
        except NotToBeSharedError:
            self.close()
            raise in_use(self.shown_url) from None
        except OSError as error:
            self.close()
            raise self._cannot_open(parsed, error) from error
        except sa.exc.SQLAlchemyError as error:
            self.close()
            raise self._cannot_open(parsed, error) from error
        except BaseException:
            self.close()
            raise

    def _ownership(self) -> Ownership | None:
        """What it has with other servers, if it shares."""
        return self._owned_by_all

    def _cannot_open(self, url: sa.URL, error: BaseException) -> DatabaseError:
        reason = first_line(error)
        if url.password:  # drivers repeat what they were given
            reason = reason.replace(str(url.password), "***")
        return DatabaseError(f"cannot open {self.shown_url}: {reason}")

    def _connect(self, url: sa.URL) -> sa.Engine:
        try:
            if self.backend != "sqlite":
                engine = sa.create_engine(url, pool_pre_ping=True, **(_POOL if self._shared else {}))
                self._held = sa.create_engine(url, poolclass=sa.pool.NullPool).connect()
            elif url.database and url.database != ":memory:":
                file = one_file(Path(url.database), self.shown_url)
                # The file and not its name: links give it several, and each would have a lock of its own.
                self._own_file(file)
                private_database(file)
                self._counted_file = commits.file_of(file)
                engine = sa.create_engine(
                    url.set(database=str(file)), connect_args={"check_same_thread": False, "timeout": 60}
                )
            elif self._shared:
                raise DatabaseError(f"{self.shown_url} is in memory, where no other server finds it")
            else:
                engine = sa.create_engine(
                    url, connect_args={"check_same_thread": False}, poolclass=sa.pool.StaticPool
                )
        except (sa.exc.SQLAlchemyError, ImportError, OSError, ValueError) as error:
            self.close()
            raise self._cannot_open(url, error) from error
        if self.backend == "sqlite":
            sa.event.listen(engine, "connect", self._tune_sqlite)
            if self._counted_file is not None:
                self._questions = Questions(engine)
            return engine
        owned = self._owned(engine, self._held)
        # A database that was restarted has forgotten whose it is, and no connection to it is left.
        sa.event.listen(engine, "connect", lambda *_: self._still_ours())
        return owned

    def _own_file(self, file: Path) -> None:
        """Take the lock of a SQLite file; what a repair has left half done is finished by whoever has it alone."""
        path = file.with_name(file.name + ".lock")
        if not self._shared:
            self._file_lock = lock_file(path, self.shown_url)
            schema.finish_rebuild(file)
            return
        self._owned_by_all = share_file(path, self.shown_url)
        if self._owned_by_all.is_first:
            schema.finish_rebuild(file)
        self.locks = FileLocks(file.with_name(file.name + ".locks"))

    def _begin_to_share(self, owned: Ownership) -> None:
        """Begin a run of servers that share the database, or join the one that there is."""
        name = META.c.name == _RUN
        with self.write() as connection:
            if owned.is_first:
                connection.execute(META.delete().where(name))
                connection.execute(META.insert().values(name=_RUN, value=secrets.token_hex(8)))
            self.run = str(connection.execute(sa.select(META.c.value).where(name)).scalar_one())

    def _owned(self, engine: sa.Engine, held: sa.Connection | None) -> sa.Engine:
        """A PostgreSQL engine, once the lock of its database is held by the connection that was kept for it."""
        if held is None:
            raise DatabaseError(f"cannot open {self.shown_url}: no connection")
        if self._shared:
            self._join(held)
            return engine
        taken = held.execute(sa.select(sa.func.pg_try_advisory_lock(_PG_LOCK))).scalar_one()
        held.commit()
        if not taken:
            held.close()
            engine.dispose()
            raise in_use(self.shown_url)
        return engine

    def _join(self, held: sa.Connection) -> None:
        """Share a PostgreSQL database: as the first server, or once the first one has prepared it."""
        from conductor_mock.store.advisory_locks import AdvisoryLocks, SharedDatabase

        owned = SharedDatabase(held, _PG_LOCK)
        looks = 0 if owned.is_first else round(PREPARING_S / LOOK_EVERY_S)
        while not owned.is_first and not owned.join():
            if not looks:
                self.close()
                held.engine.dispose()
                raise in_use(self.shown_url, ", which shares it with nobody")
            looks -= 1
            time.sleep(LOOK_EVERY_S)
        self._owned_by_all = owned
        self.locks = AdvisoryLocks(held.engine.url)

    def _still_ours(self) -> None:
        """See that the right to a PostgreSQL database is held, and take it again where its connection was lost.

        Raises OwnershipLostError where another server has taken it meanwhile.
        """
        with self._holding:
            held = self._held
            if held is None or held.closed:  # it is closed
                return
            try:
                held.execute(sa.select(1))
                held.commit()
            except sa.exc.SQLAlchemyError:
                self._is_held = False
                held.invalidate()
                held.rollback()
            if self._is_held:
                return
            lock = sa.func.pg_try_advisory_lock_shared if self._shared else sa.func.pg_try_advisory_lock
            taken = bool(held.execute(sa.select(lock(_PG_LOCK))).scalar_one())
            held.commit()
            if not taken:
                raise OwnershipLostError(
                    "another server has its database alone since that was restarted: end that one, or this one"
                )
            if self._shared:
                self._rejoin(held)
            self._is_held = True
            log.info("%s was away; it is this server's again", self.shown_url)

    def _rejoin(self, held: sa.Connection) -> None:
        """Be of the run that there is by now: a server that came first after a restart has begun another one."""
        with held.begin():
            run = held.execute(sa.select(META.c.value).where(META.c.name == _RUN)).scalar_one()
            if run == self.run:
                return
            try:
                self.on_rejoin(held, run)
            except OwnershipLostError:
                held.execute(sa.select(sa.func.pg_advisory_unlock_shared(_PG_LOCK)))
                raise
        self.run = run

    @property
    def is_first(self) -> bool:
        """Whether nobody else had it when it was opened."""
        return self._owned_by_all is None or self._owned_by_all.is_first

    def _tune_sqlite(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA synchronous={self._synchronous}")  # before the other, which writes
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    def _check_version(self) -> None:
        """Make the tables of a new database; nothing is changed in one of a newer version.

        Nor is one of an older version made another by whoever is not alone with it: those who are there could not read
        what it writes.
        """
        with self.write() as connection:
            there = set(sa.inspect(connection).get_table_names())
            self.is_new = there.isdisjoint(METADATA.tables)
            if META.name in there:
                query = sa.select(META.c.value).where(META.c.name == "schema")
                schema = connection.execute(query).scalar_one_or_none()
                if schema is not None and not (schema.isdigit() and int(schema) <= SCHEMA_VERSION):
                    raise DatabaseError(
                        f"{self.shown_url} was written by a newer conductor-mock (schema {schema}, this one reads "
                        f"{SCHEMA_VERSION}); upgrade, or use another data directory"
                    )
                if schema != str(SCHEMA_VERSION) and not self.is_first:
                    raise DatabaseError(
                        f"servers of an older conductor-mock run on {self.shown_url} (schema {schema or 'unknown'}, "
                        f"this one makes {SCHEMA_VERSION} of it): end all of them before you start this one"
                    )
            complete(connection, there)
            if not self.is_new:
                connection.execute(
                    META.update().where(META.c.name == "schema").values(value=str(SCHEMA_VERSION))
                )
            rows = [{"name": "schema", "value": str(SCHEMA_VERSION)}, {"name": commits.NAME, "value": "0"}]
            self.insert_new(connection, NewRows(META, rows))

    def _count_from_here(self) -> None:
        """Count the transactions from now on, if there is a file; say so if the last ones of before are gone."""
        path = self._counted_file
        if path is None:
            return
        if self._owned_by_all is not None and not self._owned_by_all.is_first:
            self._commits = commits.Commits(path, None, is_shared=True)
            return
        with self.read() as connection:
            count = commits.counted(connection)
        try:
            lost = (commits.noted(path) or 0) - count
        except ValueError as error:
            log.warning("%s; it is written anew, and nothing else is lost", error)
        else:
            if lost > 0:
                log.error(
                    "%s has lost its last %d transactions, which were acknowledged: it is as it was before them. Put a "
                    "copy of it back, or go on with what is there",
                    self.shown_url,
                    lost,
                )
        self._commits = commits.Commits(path, count, is_shared=self._shared)

    def ask(self) -> None:
        """Raise OSError or SQLAlchemyError if the database cannot be read now, TakesNoWritesError if only that."""
        with self.read() as connection:
            connection.execute(sa.select(META.c.name).limit(1)).first()
            if self.backend == "postgresql" and connection.execute(_READ_ONLY).scalar_one() == "on":
                raise TakesNoWritesError("its database takes no writes now, as a standby does not")

    def first(self, question: sa.Select[Any], **values: Any) -> Answer | None:
        """The first row of what `rows` answers; None where there is none."""
        return next(iter(self.rows(question, **values)), None)

    def rows(self, question: sa.Select[Any], **values: Any) -> list[Answer]:
        """What a constant `question` is answered with these values, as it is on disk at this moment.

        For what is asked with each request: it costs a fraction of a `read`. Raises SQLAlchemyError.
        """
        if self._questions is not None:
            return self._questions.ask(question, values)
        with self.read() as connection:
            if self.backend == "postgresql":  # one statement is a transaction: no BEGIN, no ROLLBACK
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            return [tuple(row) for row in connection.execute(question, values)]

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading."""
        if self.engine.pool.__class__ is sa.pool.StaticPool:  # one connection for all threads: take turns
            with self._write_lock, self.engine.connect() as connection:
                yield connection
        else:
            with self.engine.connect() as connection:
                yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction: on disk when the block ends, undone when it raises. One at a time."""
        with self._write_lock, self._turn_to_write():
            if self._writer is None:
                with self.engine.begin() as connection:
                    yield connection
            elif self._commits is None:
                with self._writer.begin():
                    yield self._writer
            else:
                with self._writer.begin():
                    yield self._writer
                    count = self._commits.next(self._writer)
                self._commits.committed(count)

    def commit_with_others(self, work: Work) -> None:
        """Do `work` in a transaction that others who come now may share; on disk when this returns.

        It may be done twice, the first time undone, and fails for reasons of its own only.
        """
        self._group.add(work)

    def _commit(self, works: list[Work]) -> None:
        with self.write() as connection:
            for work in works:
                work(connection)

    def _turn_to_write(self) -> AbstractContextManager[None]:
        """Among the servers that share a SQLite file: its own way to wait is to look again, and again later."""
        if self.locks is None or self.backend != "sqlite":
            return nullcontext()
        return self.locks.hold(Level.COMMIT)

    def insert_new(self, connection: sa.Connection, new: NewRows) -> int:
        """Insert the rows whose key is not there yet; the others are left as they are. How many it inserted."""
        if not new.rows:
            return 0
        statement = self._insert_ignoring(new.table, connection.dialect)
        return statement.run(connection, [summed(new.table, row) for row in new.rows])

    def _insert_ignoring(self, table: sa.Table, dialect: sa.Dialect) -> Prepared:
        """The statement for a table, made once: to make it takes about as long as to run it."""
        statement = self._inserts.get(table.name)
        if statement is None:
            made = _insert_ignoring(self.backend, table)
            statement = self._inserts[table.name] = Prepared(made, dialect)
        return statement

    def close(self) -> None:
        """Give the database back."""
        if self._commits is not None:
            self._commits.close()
            self._commits = None
        if self._questions is not None:
            self._questions.close()
        if self._writer is not None:
            self._writer.close()
        if hasattr(self, "engine"):
            self.engine.dispose()
        if self._held is not None:
            self._give_back(self._held)
        if self._file_lock is not None:
            self._file_lock.release()
        if self.locks is not None:
            self.locks.close()
        if self._owned_by_all is not None:
            self._owned_by_all.release()

    @staticmethod
    def _give_back(held: sa.Connection) -> None:
        """Let the next server in at once: PostgreSQL notices a moment later than we that a connection was closed."""
        if held.closed:
            return
        with suppress(sa.exc.SQLAlchemyError):  # one that is broken has nothing to give back
            held.execute(sa.select(sa.func.pg_advisory_unlock_all()))
            held.commit()
        held.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _insert_ignoring(backend: str, table: sa.Table) -> sa.Insert:
    if backend == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql  # only here: a server on SQLite starts without it

    return postgresql.insert(table).on_conflict_do_nothing()
