"""The command log: what was accepted, in order, per account. Appending is the only way to change an account.

A record whose JSON is over 64 KiB lies in the object store and the row refers to it by md5 (design, rule 6). A payload
of that size lies there as it was received: it is valid JSON, and was read by the parser that reads it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from conductor_mock.farm import snapshot
from conductor_mock.farm.commands import AccountOpened, Command, JobCreated, OptionsChanged
from conductor_mock.farm.fold import SIMULATION_VERSION
from conductor_mock.farm.records import KINDS, Record, decode
from conductor_mock.farm.state import State
from conductor_mock.store import collector, heads
from conductor_mock.store.content_store import BLOCK, ContentStore
from conductor_mock.store.database import Database, NewRows, Row
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.heads import End
from conductor_mock.store.prepared import Prepared
from conductor_mock.store.sums import chained, fits, row_sum, summed
from conductor_mock.store.tables import HEADS, LOG, META, SNAPSHOTS, SUM
from conductor_mock.wire.md5 import from_base64, to_base64

INLINE_BYTES = 64 * 1024

_FROM = (
    sa.select(LOG)
    .where(LOG.c.account == sa.bindparam("account"), LOG.c.seq >= sa.bindparam("seq"))
    .order_by(LOG.c.seq)
)
_COLUMN_NAMES = tuple(column.name for column in LOG.c)

_KIND_IN_USE = "command/"
"""`meta` has a row `command/KIND/VERSION` for each that was ever written, so that nobody need read a whole log."""


class ContentGoneError(LookupError):
    """A content that was stored a moment ago is gone: another account that had it was reset."""


class DamagedLogError(Exception):
    """What lies on the disk is not what was written; the text names it and says what to do."""

    def __init__(self, account_id: str, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} of account {account_id} is damaged; stop the server and run 'conductor-mock check --repair'"
        )


class Log:
    """The log and the snapshots of every account in one database."""

    def __init__(self, database: Database, objects: ContentStore) -> None:
        self._database = database
        self._objects = objects
        dialect = database.engine.dialect
        self._new = Prepared(LOG.insert(), dialect)
        self._ends = heads.Ends(dialect)
        self._noted: set[str] = set()  # kinds in use whose row in `meta` is known to be there

    def check(self) -> None:
        """Raises DatabaseError when a newer version wrote commands or snapshots that this one cannot read."""
        if self._database.is_new:
            return
        in_use = sa.select(META.c.name).where(META.c.name.startswith(_KIND_IN_USE))
        with self._database.read() as connection:
            kinds = [name.split("/") for name in connection.execute(in_use).scalars()]
            newest = connection.execute(sa.select(sa.func.max(SNAPSHOTS.c.simulation_version))).scalar() or 0
        unknown = [
            f"commands {kind!r} of version {version}"
            for _, kind, version in kinds
            if kind not in KINDS or int(version) > KINDS[kind].version
        ]
        if newest > SIMULATION_VERSION:
            unknown.append(f"snapshots of simulation version {newest}")
        if unknown:
            raise DatabaseError(
                f"{self._database.shown_url} was written by a newer conductor-mock: it holds {', '.join(unknown)}; "
                "upgrade, or use another data directory"
            )

    def append(self, account_id: str, record: Record, *rows: NewRows) -> None:
        """Commit one command, and `rows` of other tables with it; all is on disk when this returns.

        A second record with the same seq is refused.
        """
        with self._stored(account_id, record) as row:
            self.append_rows(account_id, [row], rows)

    def append_rows(self, account_id: str, commands: Sequence[Row], rows: Sequence[NewRows]) -> None:
        """`append` of commands that follow each other, as their rows: all or none."""

        def work(connection: sa.Connection) -> None:
            for new in rows:
                self._database.insert_new(connection, new)
            self._insert(
                connection, commands, self._ends.sum_of(connection, account_id, commands[0]["seq"] - 1)
            )

        self._database.commit_with_others(work)
        self._noted.update(map(_note, commands))

    def small_row(self, account_id: str, record: Record) -> Row | None:
        """The row of a record whose body lies in it; None for one whose body is large."""
        if _with_payload_as_received(record.command) is not None:
            return None
        text = _dumps(record.command.to_json())
        return _columns(account_id, record, text, None) if len(text) <= INLINE_BYTES else None

    def append_all(self, account_id: str, records: Sequence[Record]) -> None:
        """Commit several commands, all or none; they are on disk when this returns."""
        with ExitStack() as stack:
            rows = [stack.enter_context(self._stored(account_id, record)) for record in records]
            with self._database.write() as connection:
                self._insert(connection, rows, self._ends.sum_of(connection, account_id, records[0].seq - 1))
            self._noted.update(map(_note, rows))

    def restart(self, account_id: str, first: Record) -> list[str]:
        """Begin an account's log again with `first`, all in one commit.

        Answers the base64 md5s of the bodies that the old commands and the old snapshot referred to.
        """
        with self._stored(account_id, first) as row:
            with self._database.write() as connection:
                bodies = _forget(connection, account_id)
                self._insert(connection, [row], None)
            self._noted.add(_note(row))
        return bodies

    def rows_of(self, account_id: str, records: Iterable[Record]) -> list[Row]:
        """The rows of a history; large bodies are stored, and nothing refers to them yet."""
        rows = []
        for record in records:
            with self._stored(account_id, record) as row:
                rows.append(row)
        return rows

    def replace(
        self,
        account_id: str,
        rows: Sequence[Row],
        *,
        contents: Collection[str],
        also: Callable[[sa.Connection], None],
    ) -> list[str]:
        """Give an account another history, which `rows_of` made, and do what `also` does, all in one commit.

        `contents` (base64 md5s) were stored before; ContentGoneError when a reset elsewhere took one away since then.
        Answers what `restart` answers.
        """
        needed = {*contents, *bodies_of(rows)}
        with self._objects.lock.shared():  # nobody deletes contents meanwhile
            there = self._objects.those_there({from_base64(md5) for md5 in needed})
            gone = [md5 for md5 in needed if from_base64(md5) not in there]
            if gone:
                raise ContentGoneError(gone[0])
            with self._database.write() as connection:
                bodies = _forget(connection, account_id)
                self._insert(connection, rows, None)
                also(connection)
        return bodies

    def has(self, account_id: str) -> bool:
        """Whether the account has a log."""
        return self.end(account_id) is not None

    def read(self, account_id: str, after: int = 0) -> Iterator[Record]:
        """The commands of an account behind the `after`-th, in order. Raises UnknownCommandError, DamagedLogError."""
        query = sa.select(LOG).where(LOG.c.account == account_id, LOG.c.seq >= after).order_by(LOG.c.seq)
        with self._database.read() as connection:
            head = heads.noted(
                connection, account_id
            )  # first: a log only grows meanwhile, and is no shorter for it
            rows = connection.execute(query).all()
        checked = chain_of(account_id, (dict(row._mapping) for row in rows), after, head)
        for row in checked:
            yield self._record(row)

    def end(self, account_id: str) -> End | None:
        """Where the log of an account ends on disk; None where there is none."""
        row = self._database.first(heads.END, account=account_id)
        return None if row is None else End(*row)

    def ends(self, accounts: Sequence[str]) -> dict[str, str]:
        """Where the logs of accounts end on disk, each as a text, in one query; of some it may not be known."""
        with self._database.read() as connection:
            return {account: str(end) for account, end in heads.ends_of(connection, accounts).items()}

    def since(self, account_id: str, end: End) -> list[Record] | None:
        """The commands behind an end that was known; None where the log was begun again. Raises as `read`."""
        head = self._database.first(heads.NOTED, account=account_id)  # first, as in `read`
        rows = [
            dict(zip(_COLUMN_NAMES, row, strict=True))
            for row in self._database.rows(_FROM, account=account_id, seq=end.seq)
        ]
        if not rows or (rows[0]["seq"], rows[0][SUM]) != (end.seq, end.sum):
            return None
        return [self._record(row) for row in chain_of(account_id, rows, end.seq, head[0] if head else 0)]

    def read_one(self, account_id: str, seq: int) -> Record:
        """One command of an account. Raises KeyError, DamagedLogError."""
        query = sa.select(LOG).where(LOG.c.account == account_id, LOG.c.seq.in_([seq - 1, seq]))
        with self._database.read() as connection:
            rows = {row.seq: dict(row._mapping) for row in connection.execute(query)}
        if seq not in rows:
            raise KeyError(seq)
        if not fits(rows[seq - 1][SUM] if seq - 1 in rows else None, rows[seq]):
            raise DamagedLogError(account_id, f"command {seq}")
        return self._record(rows[seq])

    def is_of_this_simulation(self, account_id: str) -> bool:
        """Whether no other version of the simulation than this one has written to a log. Raises as `read` does."""
        commands = (record.command for record in self.read(account_id))
        return all(
            command.options.simulation_version == SIMULATION_VERSION
            for command in commands
            if isinstance(command, (AccountOpened, OptionsChanged))
        )

    def accounts_at_start(self) -> list[str]:
        """`accounts` when the database was opened, of which a new one has none."""
        return [] if self._database.is_new else self.accounts()

    def accounts(self) -> list[str]:
        """The ids of all accounts, in order; one whose log is gone is among them."""
        with self._database.read() as connection:
            ids = {*connection.execute(sa.select(LOG.c.account).distinct()).scalars()}
            return sorted(ids.union(connection.execute(sa.select(HEADS.c.account)).scalars()))

    def save_snapshot(self, state: State) -> list[str]:
        """Keep `state` as the truth that later commands build on.

        Replaces the account's snapshot; answers the base64 md5s of what was replaced.
        """
        mine = SNAPSHOTS.c.account == state.account_id
        lines = (_dumps(part).encode("ascii") + b"\n" for part in snapshot.write_parts(state))
        with self._objects.write(lines) as content:
            row = {
                "account": state.account_id,
                "seq": state.seq,
                "simulation_version": SIMULATION_VERSION,
                "body_md5": to_base64(content.md5),
            }
            with content.placed(), self._database.write() as connection:
                replaced = list(connection.execute(sa.select(SNAPSHOTS.c.body_md5).where(mine)).scalars())
                connection.execute(SNAPSHOTS.delete().where(mine))
                content.join(connection)
                connection.execute(SNAPSHOTS.insert().values(summed(SNAPSHOTS, row)))
        return replaced

    def snapshot_seq(self, account_id: str) -> int:
        """The command that the last snapshot of an account holds, whoever took it; 0 where there is none."""
        query = sa.select(SNAPSHOTS.c.seq).where(SNAPSHOTS.c.account == account_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def load_snapshot(self, account_id: str) -> State | None:
        """The last snapshot of an account, if there is one. Raises DamagedLogError."""
        query = sa.select(SNAPSHOTS).where(SNAPSHOTS.c.account == account_id)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        if found is None:
            return None
        row = dict(found._mapping)
        if row[SUM] is not None and row[SUM] != row_sum(SNAPSHOTS, row):
            raise DamagedLogError(account_id, "the snapshot")
        try:
            with self._objects.open(from_base64(row["body_md5"])) as lines, collector.resting():
                return snapshot.read_parts(map(json.loads, lines))
        except FileNotFoundError:
            raise DamagedLogError(account_id, "the snapshot") from None

    @contextmanager
    def _stored(self, account_id: str, record: Record) -> Iterator[Row]:
        """The row of a record. If its body is large, that is stored, and in the block nobody deletes it."""
        row = self.small_row(account_id, record)
        if row is not None:
            yield row
            return
        body: Iterable[bytes] | None = _with_payload_as_received(record.command)
        if body is None:
            body = [_dumps(record.command.to_json()).encode("ascii")]
        with self._objects.write(body) as content, content.placed():
            yield _columns(account_id, record, "", to_base64(content.md5))

    def _insert(self, connection: sa.Connection, rows: Sequence[Row], previous: str | None) -> None:
        """Insert rows of one account that follow one with the checksum `previous`, and note which kinds are in use.

        `_noted` learns of a kind after the commit.
        """
        notes = sorted({note for row in rows if (note := _note(row)) not in self._noted})
        self._database.insert_new(connection, _in_use(notes))
        with_sums = []
        for row in rows:
            previous = chained(previous, row)
            with_sums.append({**row, SUM: previous})
        self._new.run(connection, with_sums)
        self._ends.move(connection, rows[-1]["account"], rows[-1]["seq"])

    def _record(self, row: Row) -> Record:
        try:
            body = self._objects.read(from_base64(row["body_md5"])) if row["body_md5"] else row["json"]
        except FileNotFoundError:
            raise DamagedLogError(row["account"], f"the body of command {row['seq']}") from None
        return Record(row["seq"], row["t_us"], decode(row["kind"], row["v"], json.loads(body)))


def chain_of(account_id: str, rows: Iterable[Row], after: int, head: int) -> Iterator[Row]:
    """The rows behind the `after`-th, each of them what was written, none missing up to `head`.

    `rows` begin with the `after`-th itself, whose checksum the next one has in its own. Raises DamagedLogError.
    """
    previous: str | None = None
    last = after
    for row in rows:
        if not isinstance(row["seq"], int):
            raise DamagedLogError(account_id, f"command {last + 1}")
        if row["seq"] > after:
            if row["seq"] != last + 1:
                raise DamagedLogError(account_id, f"command {last + 1}, which is gone,")
            if not fits(previous, row):
                raise DamagedLogError(account_id, f"command {row['seq']}")
            last = row["seq"]
            yield row
        previous = row[SUM]
    if last < head:
        raise DamagedLogError(account_id, f"the end of the log (command {last + 1} to {head})")


def _with_payload_as_received(command: Command) -> Iterator[bytes] | None:
    """The JSON of a job whose payload is large, in blocks; None for any other command.

    To write anew what was just read would take a fifth of the time of such a job, and twice its size in memory.
    """
    if not isinstance(command, JobCreated) or len(command.received or b"") <= INLINE_BYTES:
        return None
    return _around(command.received or b"", {k: v for k, v in command.to_json().items() if k != "payload"})


def _around(payload: bytes, others: Mapping[str, object]) -> Iterator[bytes]:
    """A JSON object of a payload and other members."""
    yield b'{"payload":'
    for start in range(0, len(payload), BLOCK):
        yield payload[start : start + BLOCK]
    yield b"," + _dumps(others).encode("ascii")[1:]


def _note(row: Row) -> str:
    return f"{_KIND_IN_USE}{row['kind']}/{row['v']}"


def _in_use(notes: Iterable[str]) -> NewRows:
    return NewRows(META, [{"name": name, "value": ""} for name in notes])


def bodies_of(rows: Iterable[Row]) -> list[str]:
    """The base64 md5s of the bodies that rows refer to."""
    return [row["body_md5"] for row in rows if row["body_md5"] is not None]


def _columns(account_id: str, record: Record, inline: str, body_md5: str | None) -> Row:
    return {
        "account": account_id,
        "seq": record.seq,
        "t_us": record.t_us,
        "kind": record.command.kind,
        "v": record.command.version,
        "json": inline,
        "body_md5": body_md5,
    }


def _forget(connection: sa.Connection, account_id: str) -> list[str]:
    """Remove an account's log and snapshot; the base64 md5s of the bodies that they referred to."""
    bodies: list[str] = []
    connection.execute(HEADS.delete().where(HEADS.c.account == account_id))
    for table in (LOG, SNAPSHOTS):
        mine = table.c.account == account_id
        query = sa.select(table.c.body_md5).where(mine, table.c.body_md5.is_not(None))
        bodies.extend(connection.execute(query).scalars())
        connection.execute(table.delete().where(mine))
    return bodies


def _dumps(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
