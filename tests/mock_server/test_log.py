"""The command log: what was committed is there again, whole and in order, and nobody reads what is not theirs."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_contracts import json_text
from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.commands import AccountOpened, ClockSet, JobCreated, OptionsChanged
from conductor_mock.farm.fold import SIMULATION_VERSION, replay
from conductor_mock.farm.records import Record, UnknownCommandError
from conductor_mock.farm.state import State
from conductor_mock.farm.values import Machine, Options
from conductor_mock.store import heads
from conductor_mock.store.database import SCHEMA_VERSION, Database, NewRows
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.log import INLINE_BYTES, ContentGoneError, DamagedLogError, Log, bodies_of
from conductor_mock.store.objects import ObjectStore
from conductor_mock.store.read_write_lock import ReadWriteLock
from conductor_mock.store.table_and_files import TableAndFiles
from conductor_mock.store.tables import DECLARATIONS, LOG, META
from conductor_mock.store.trouble import is_disk_full
from conductor_mock.wire.md5 import from_base64
from support.server import START_US, job_payload
from support.states import image


@dataclass
class Stored:
    """A log on disk with its parts."""

    folder: Path
    database: Database
    objects: ObjectStore
    log: Log

    def bodies(self) -> int:
        """How many contents lie in the object store."""
        return sum(path.is_file() for path in (self.folder / "objects").rglob("*"))


@contextmanager
def opened(folder: Path) -> Iterator[Stored]:
    objects = ObjectStore(folder)
    with Database(f"sqlite:///{folder / 'conductor.db'}") as database:
        yield Stored(folder, database, objects, Log(database, objects))


OPTIONS = Options(1, "c", 1, 0, "gcs", 1 << 30, release_scouts=False)


def opening(account: str = "5001") -> Record:
    command = AccountOpened(account, account, "0" * 64, OPTIONS, Anchor(START_US, START_US))
    return Record(1, START_US, command)


def job(seq: int, **fields: Any) -> Record:
    command = JobCreated(job_payload(**fields), "b" * 64, Machine("m", 1, 0, 0, 0, 100))
    return Record(seq, START_US + seq, command)


def edit(folder: Path, statement: str, *values: object) -> None:
    """Change the database behind the server's back, as another version would have."""
    connection = sqlite3.connect(folder / "conductor.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


def state_of(*records: Record) -> State:
    state = replay(records)
    assert state is not None
    return state


def test_what_was_appended_is_read_again_in_order_after_reopening(tmp_path: Path) -> None:
    records = [opening(), job(2), Record(3, START_US + 9, ClockSet(Anchor(START_US, START_US + 9, 0)))]
    with opened(tmp_path) as stored:
        for record in records:
            stored.log.append("5001", record)
    with opened(tmp_path) as stored:
        assert list(stored.log.read("5001")) == records
        assert list(stored.log.read("5001", after=1)) == records[1:]
        assert stored.log.read_one("5001", 2) == records[1]


def test_commands_that_are_appended_together_are_all_there_or_none(tmp_path: Path) -> None:
    large = job(3, metadata={"notes": "x" * INLINE_BYTES})
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append_all("5001", [job(2), large])
        with pytest.raises(sa.exc.IntegrityError):
            stored.log.append_all("5001", [job(4), job(4)])
        stored.log.append("5001", job(4))
    with opened(tmp_path) as stored:
        assert list(stored.log.read("5001")) == [opening(), job(2), large, job(4)]


@pytest.mark.parametrize("way", ["read", "since"])
def test_a_log_that_grows_while_it_is_read_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        end = stored.log.end("5001")
        assert end is not None
        noted, first = heads.noted, stored.database.first

        def noted_later(connection: sa.Connection, account_id: str) -> int:
            stored.log.append(account_id, job(2))
            return noted(connection, account_id)

        def first_later(question: sa.Select[Any], **values: Any) -> Any:
            if question is heads.NOTED:
                stored.log.append("5001", job(2))
            return first(question, **values)

        monkeypatch.setattr(heads, "noted", noted_later)
        monkeypatch.setattr(stored.database, "first", first_later)
        found = list(stored.log.read("5001", after=1)) if way == "read" else stored.log.since("5001", end)
        assert found == [job(2)]


free = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    free,
    st.integers(-2, 2),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", "\t: ")]),
    st.sampled_from(["", "\n", " \r\n\t"]),
)
@example(None, 0, True, (",", ":"), "")
@example(None, 1, True, (",", ":"), "")
def test_a_payload_is_read_again_as_it_was_read_when_it_came_however_it_was_written(
    value: Any, beyond: int, in_ascii: bool, separators: tuple[str, str], blank: str
) -> None:
    """Around the size from which on it lies in the log as it was received."""
    written = json.dumps(
        job_payload(metadata={"any": value}), ensure_ascii=in_ascii, separators=separators
    ).removeprefix("{")
    twice = f'{blank}{{"owner": "the last one counts", {written}{blank}'
    text = f"{' ' * (INLINE_BYTES + beyond - len(twice.encode()))}{twice}".encode()
    assert len(text) == INLINE_BYTES + beyond
    command = JobCreated(json_text.read(text), "b" * 64, Machine("m", 1, 0, 0, 0, 100), received=text)
    record = Record(2, START_US + 1, command)
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5001", record)
        again = stored.log.read_one("5001", 2)
        assert again == record
        assert isinstance(again.command, JobCreated)
        assert spelt(again.command.payload) == spelt(command.payload), "1 is not 1.0"
        assert stored.bodies() == (beyond > 0)


def spelt(payload: dict[str, Any]) -> str:
    return json.dumps(payload)


def test_a_large_payload_lies_in_the_log_as_it_was_received(tmp_path: Path) -> None:
    text = json.dumps(job_payload(metadata={"long": "\u00e9" * INLINE_BYTES}), ensure_ascii=False).encode()
    command = JobCreated(
        json_text.read(text), "b" * 64, Machine("m", 1, 0, 0, 0, 100), ("/missing",), received=text
    )
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5001", Record(2, START_US + 1, command))
        (md5,) = referred_to(stored)
        body = stored.objects.read(from_base64(md5))
    assert body.startswith(b'{"payload":' + text + b',"body_sha256":"bbb')
    assert JobCreated.from_json(json.loads(body)) == command


def referred_to(stored: Stored) -> list[str]:
    with stored.database.read() as connection:
        found = connection.execute(sa.select(LOG.c.body_md5).where(LOG.c.body_md5.is_not(None)))
        return list(found.scalars())


def test_accounts_have_logs_of_their_own(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        for account in ("5002", "5001"):
            stored.log.append(account, opening(account))
        stored.log.append("5001", job(2))

        assert stored.log.accounts() == ["5001", "5002"]
        assert list(stored.log.read("5002")) == [opening("5002")]
        assert stored.log.has("5002")
        assert not stored.log.has("5003")
        assert list(stored.log.read("5003")) == []


def declared(stored: Stored) -> list[str]:
    with stored.database.read() as connection:
        return list(connection.execute(sa.select(DECLARATIONS.c.path)).scalars())


def declaration(path: str) -> NewRows:
    return NewRows(DECLARATIONS, [{"account": "5001", "md5": "", "path": path}])


def test_a_second_command_with_the_same_number_is_refused_with_all_that_came_with_it(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening(), declaration("/a"), declaration("/b"))
        with pytest.raises(sa.exc.IntegrityError):
            stored.log.append("5001", opening(), declaration("/c"))

        assert list(stored.log.read("5001")) == [opening()]
        assert declared(stored) == ["/a", "/b"]


def test_the_kinds_in_use_are_noted_whichever_way_their_commands_came(tmp_path: Path) -> None:
    """Once each: an older version reads them all before it opens a log."""

    def noted(stored: Stored) -> list[str]:
        with stored.database.read() as connection:
            names = connection.execute(sa.select(META.c.name).order_by(META.c.name)).scalars()
            return [name.split("/")[1] for name in names if name.startswith("command/")]

    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5002", opening("5002"))
        assert noted(stored) == ["account.opened"]
        rows = stored.log.rows_of("5001", [opening(), job(2), job(3)])
        assert noted(stored) == ["account.opened"]
        stored.log.replace("5001", rows, contents=[], also=lambda _: None)
        assert noted(stored) == ["account.opened", "job.created"]
        stored.log.restart("5001", Record(1, START_US, ClockSet(Anchor(START_US, START_US, 0))))
        assert noted(stored) == ["account.opened", "clock.set", "job.created"]


def test_nobody_deletes_contents_while_a_log_that_needs_them_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, has = ReadWriteLock.shared, ObjectStore.has
    held: list[str] = []
    seen: list[str] = []

    @contextmanager
    def seen_shared(self: ReadWriteLock) -> Iterator[None]:
        with shared(self):
            held.append("held")
            yield
            held.pop()

    def seen_has(self: ObjectStore, md5: bytes) -> bool:
        seen.extend(held)
        return has(self, md5)

    with opened(tmp_path) as stored:
        rows = stored.log.rows_of("5001", [opening(), job(2, metadata={"notes": "x" * INLINE_BYTES})])
        monkeypatch.setattr(ReadWriteLock, "shared", seen_shared)
        monkeypatch.setattr(ObjectStore, "has", seen_has)
        stored.log.replace("5001", rows, contents=[], also=lambda _: seen.extend(held))
    assert seen == ["held", "held"], "from the look at what there is to the commit"


def test_a_command_that_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    with opened(tmp_path) as stored, pytest.raises(KeyError):
        stored.log.read_one("5001", 1)


@pytest.mark.parametrize(("padding", "spilled"), [(100, False), (INLINE_BYTES, True)])
def test_a_big_command_lies_in_the_object_store(tmp_path: Path, padding: int, spilled: bool) -> None:
    record = job(2, metadata={"notes": "ü" + "x" * padding})
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5001", record)
        assert stored.bodies() == int(spilled)
    with opened(tmp_path) as stored:
        assert stored.log.read_one("5001", 2) == record
        with stored.database.read() as connection:
            row = connection.execute(sa.text("SELECT length(json), body_md5 FROM log WHERE seq = 2")).one()
        assert (row[0] == 0, row[1] is not None) == (spilled, spilled)


def test_the_limit_is_on_the_stored_form(tmp_path: Path) -> None:
    """64 KiB of JSON, not of characters: what is stored is ASCII."""
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5001", job(2, metadata={"notes": "ü" * (INLINE_BYTES // 6 + 1)}))
        assert stored.bodies() == 1


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_command_of_up_to_64_kib_of_json_lies_in_its_row(tmp_path: Path, beyond: int) -> None:
    def padded(padding: int) -> Record:
        return job(2, metadata={"notes": "x" * padding})

    row_bytes = 64 * 1024
    size = len(json.dumps(padded(0).command.to_json(), separators=(",", ":")))
    with opened(tmp_path) as stored:
        row = stored.log.small_row("5001", padded(row_bytes - size + beyond))
    assert (row is None) == (beyond > 0)
    assert row is None or len(row["json"]) == row_bytes


def test_a_snapshot_that_is_small_lies_in_the_database_with_its_row(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'conductor.db'}") as database:
        log = Log(database, TableAndFiles(tmp_path, database))
        log.append("5001", opening())
        log.save_snapshot(state_of(opening()))
        found = log.load_snapshot("5001")
    assert found is not None
    assert image(found) == image(state_of(opening()))


def test_a_snapshot_replaces_the_one_before_it_and_says_what_is_left_over(tmp_path: Path) -> None:
    early, late = state_of(opening()), state_of(opening(), job(2))
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        assert stored.log.load_snapshot("5001") is None
        assert stored.log.save_snapshot(early) == []
        left_over = stored.log.save_snapshot(late)

        found = stored.log.load_snapshot("5001")
        assert found is not None
        assert image(found) == image(late)
        assert len(left_over) == 1
        assert stored.log.save_snapshot(late) != left_over


def test_a_restarted_log_holds_its_first_command_only(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5001", job(2, metadata={"notes": "x" * INLINE_BYTES}))
        stored.log.append("5002", opening("5002"))
        stored.log.save_snapshot(state_of(opening()))
        bodies = stored.log.restart("5001", opening())

        assert len(bodies) == 2
        assert list(stored.log.read("5001")) == [opening()]
        assert stored.log.load_snapshot("5001") is None
        assert list(stored.log.read("5002")) == [opening("5002")]


def test_a_restart_that_fails_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    unserialisable = job(1, metadata={"notes": float("nan")})
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        with pytest.raises(ValueError, match="JSON"):
            stored.log.restart("5001", unserialisable)

        assert list(stored.log.read("5001")) == [opening()]


def test_a_log_that_is_replaced_is_another_and_tells_which_bodies_it_had(tmp_path: Path) -> None:
    large = [job(2, metadata={"notes": letter * INLINE_BYTES}) for letter in "xy"]
    with opened(tmp_path) as stored:
        for record in (opening(), large[0]):
            stored.log.append("5001", record)
        stored.log.append("5002", opening("5002"))
        old = stored.log.rows_of("5001", [large[0]])
        rows = stored.log.rows_of("5001", [opening(), large[1]])
        was_done: list[bool] = []
        replaced = stored.log.replace(
            "5001", rows, contents=bodies_of(rows), also=lambda _: was_done.append(True)
        )

        assert replaced == bodies_of(old)
        assert was_done == [True]
        assert list(stored.log.read("5001")) == [opening(), large[1]]
        assert list(stored.log.read("5002")) == [opening("5002")]
        assert bodies_of(rows) == [row["body_md5"] for row in rows[1:]]


@pytest.mark.parametrize("gone", ["a body", "a content"])
def test_a_log_is_not_replaced_by_one_of_which_something_is_gone(tmp_path: Path, gone: str) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        rows = stored.log.rows_of("5001", [opening(), job(2, metadata={"notes": "x" * INLINE_BYTES})])
        (body,) = bodies_of(rows)
        if gone == "a body":
            stored.objects.delete(from_base64(body))
        contents = ["1B2M2Y8AsgTpgAmY7PhCfg=="] if gone == "a content" else []
        with pytest.raises(ContentGoneError):
            stored.log.replace("5001", rows, contents=contents, also=lambda _: pytest.fail("it was done"))

        assert list(stored.log.read("5001")) == [opening()]


def test_a_kind_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
    edit(tmp_path, "UPDATE log SET kind = 'job.dreamt', sum = NULL")

    with opened(tmp_path) as stored, pytest.raises(UnknownCommandError, match=r"'job\.dreamt'"):
        list(stored.log.read("5001"))


def test_a_version_of_a_kind_that_is_newer_is_refused_by_number(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
    edit(tmp_path, "UPDATE log SET v = 9, sum = NULL")

    with (
        opened(tmp_path) as stored,
        pytest.raises(UnknownCommandError, match="version 9, this version reads 2"),
    ):
        list(stored.log.read("5001"))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE meta SET name = 'command/job.dreamt/1' WHERE name = 'command/account.opened/2'",
            "'job.dreamt'",
        ),
        (
            "UPDATE meta SET name = 'command/account.opened/3' WHERE name = 'command/account.opened/2'",
            "of version 3",
        ),
        ("UPDATE snapshots SET simulation_version = 99", "simulation version 99"),
    ],
)
def test_what_a_newer_version_wrote_is_found_before_anything_is_read(
    tmp_path: Path, statement: str, said: str
) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.save_snapshot(state_of(opening()))
        stored.log.check()
    edit(tmp_path, statement)

    with opened(tmp_path) as stored, pytest.raises(DatabaseError, match=f"newer conductor-mock.*{said}"):
        stored.log.check()


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_what_this_version_wrote_is_not_taken_for_that_of_a_newer_one(
    tmp_path: Path, has_snapshot: bool
) -> None:
    with opened(tmp_path) as stored:
        for record in (opening(), job(2)):
            stored.log.append("5001", record)
        if has_snapshot:
            stored.log.save_snapshot(state_of(opening()))
    with opened(tmp_path) as stored:
        stored.log.check()


def test_a_kind_whose_first_command_was_not_committed_is_noted_with_the_next(
    tmp_path: Path,
) -> None:
    """Else an older version would not find out that there is a kind that it cannot read."""
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        with pytest.raises(sa.exc.IntegrityError):
            stored.log.append("5001", job(1))  # there is a first one
        stored.log.append("5001", job(2))
    edit(tmp_path, "DELETE FROM log WHERE kind = 'job.created'")
    edit(tmp_path, "UPDATE meta SET name = 'command/job.dreamt/1' WHERE name LIKE 'command/job.created/%'")

    with opened(tmp_path) as stored, pytest.raises(DatabaseError, match=r"job\.dreamt"):
        stored.log.check()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
    edit(tmp_path, "UPDATE meta SET value = ? WHERE name = 'schema'", str(SCHEMA_VERSION + 1))
    edit(tmp_path, "DROP TABLE declarations")  # as if the newer version had no use for it

    with pytest.raises(DatabaseError, match=f"newer conductor-mock .schema {SCHEMA_VERSION + 1}"):
        Database(f"sqlite:///{tmp_path / 'conductor.db'}")

    connection = sqlite3.connect(tmp_path / "conductor.db")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "declarations" not in tables


def test_a_second_server_on_the_same_database_is_told_so(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(DatabaseError, match=r"conductor\.db is in use by another"):
        Database(f"sqlite:///{tmp_path / 'conductor.db'}")
    with opened(tmp_path) as stored:
        assert stored.log.accounts() == []  # given back, it can be opened again


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("what is this", "not a database URL"),
        ("mysql://root@db/x", "'mysql' are not supported"),
        ("sqlite:////proc/nowhere/conductor.db", "cannot use"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_clearly(url: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said):
        Database(url)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "conductor.db"
    file.write_text("a shopping list, and not a short one\n" * 100)

    with pytest.raises(DatabaseError, match=r"cannot open .*not a database"):
        Database(f"sqlite:///{file}")

    assert file.read_text().startswith("a shopping list")


def test_the_password_of_a_database_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as refused:
        Database("mysql://root:hunter2@db/x")
    assert "hunter2" not in str(refused.value)
    with Database(f"sqlite:///{tmp_path / 'conductor.db'}") as database:
        assert "conductor.db" in database.shown_url


def test_a_full_database_is_known_by_the_code_of_its_error(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'conductor.db'}") as database:
        with database.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        rows = [{"account": "5", "md5": str(number), "path": "x" * 4000} for number in range(10)]
        with pytest.raises(sa.exc.OperationalError) as caught, database.write() as connection:
            database.insert_new(connection, NewRows(DECLARATIONS, rows))

        assert is_disk_full(caught.value)
        with database.write() as connection:  # the connection that failed still writes
            connection.exec_driver_sql(f"PRAGMA max_page_count={2 * pages + 100}")
            database.insert_new(connection, NewRows(DECLARATIONS, rows))


class PostgresqlError(Exception):
    """An error as psycopg raises it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("could not extend file")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("cause", "is_full"),
    [
        (sqlite3.OperationalError("no such table: full"), False),
        (PostgresqlError("53100"), True),
        (PostgresqlError("53200"), False),
    ],
    ids=str,
)
def test_nothing_else_is_taken_for_a_full_disk(cause: Exception, is_full: bool) -> None:
    assert is_disk_full(sa.exc.OperationalError("INSERT", {}, cause)) is is_full


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("UPDATE log SET json = '{}' WHERE seq = 2", "command 2"),
        ("UPDATE log SET t_us = t_us + 1 WHERE seq = 2", "command 2"),
        ("DELETE FROM log WHERE seq = 2", "command 2, which is gone,"),
        ("DELETE FROM log WHERE seq = 3", "the end of the log (command 3 to 3)"),
        ("UPDATE log SET seq = 'x' WHERE seq = 3", "command 3"),
    ],
)
def test_what_is_not_as_it_was_written_is_told_by_its_place(tmp_path: Path, harm: str, what: str) -> None:
    with opened(tmp_path) as stored:
        for record in (opening(), job(2), job(3)):
            stored.log.append("5001", record)
        end = stored.log.end("5001")
    edit(tmp_path, harm)
    with opened(tmp_path) as stored:
        with pytest.raises(DamagedLogError) as caught:
            list(stored.log.read("5001"))
        assert str(caught.value).startswith(f"{what} of account 5001 is damaged")
        assert (caught.value.what, end is not None) == (what, True)
        if harm.startswith("UPDATE log SET json"):
            with pytest.raises(DamagedLogError, match="command 2 of account 5001"):
                stored.log.read_one("5001", 2)
        assert stored.log.read_one("5001", 1) == opening()


def test_a_log_that_others_have_added_to_is_read_from_where_it_ended_or_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        first = stored.log.end("5001")
        stored.log.append("5001", job(2))
        second = stored.log.end("5001")
        assert first is not None
        assert second is not None
        assert stored.log.since("5001", first) == [job(2)]
        assert stored.log.since("5001", second) == []
        assert stored.log.ends(["5001", "5002"]) == {"5001": str(second)}
        stored.log.restart("5001", opening())
        assert stored.log.since("5001", second) is None
        stored.log.append("5001", job(2, job_title="another"))
        assert stored.log.since("5001", second) is None, "as long, and another log"


def test_an_end_that_is_noted_and_not_there_is_damage(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        for record in (opening(), job(2), job(3)):
            stored.log.append("5001", record)
        first = stored.log.end("5001")
    edit(tmp_path, "DELETE FROM log WHERE seq = 3")
    with opened(tmp_path) as stored:
        second = stored.log.end("5001")
        assert first is not None
        assert second is not None
        with pytest.raises(DamagedLogError, match="the end of the log"):
            stored.log.since("5001", second)
    edit(tmp_path, "DELETE FROM heads")
    with opened(tmp_path) as stored:
        assert stored.log.since("5001", second) == [], "one of before ends were noted"


def test_bodies_and_snapshots_whose_content_is_gone_are_damage(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.append("5001", job(2, metadata={"a": "b" * INLINE_BYTES}))
        stored.log.save_snapshot(state_of(opening()))
        assert stored.log.snapshot_seq("5001") == 1
        assert stored.log.snapshot_seq("5002") == 0
        found = stored.log.load_snapshot("5001")
        assert found is not None
        assert image(found) == image(state_of(opening()))
        for path in (tmp_path / "objects").rglob("*"):
            if path.is_file():
                path.unlink()
        with pytest.raises(DamagedLogError, match="the body of command 2 of account 5001"):
            stored.log.read_one("5001", 2)
        with pytest.raises(DamagedLogError, match="the snapshot of account 5001"):
            stored.log.load_snapshot("5001")


@pytest.mark.parametrize(
    ("change", "is_read"),
    [("SET sum = NULL", True), ("SET seq = 7", False), ("SET sum = 'x'", False)],
)
def test_a_snapshot_is_held_to_its_checksum_where_it_has_one(
    tmp_path: Path, change: str, is_read: bool
) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        stored.log.save_snapshot(state_of(opening()))
    edit(tmp_path, f"UPDATE snapshots {change}")
    with opened(tmp_path) as stored:
        if is_read:
            found = stored.log.load_snapshot("5001")
            assert found is not None
            assert image(found) == image(state_of(opening()))
        else:
            with pytest.raises(DamagedLogError, match="the snapshot"):
                stored.log.load_snapshot("5001")


@pytest.mark.parametrize("versions", [(1,), (2,), (1, 1), (1, 2), (2, 1)])
def test_a_log_is_of_this_simulation_if_no_other_has_written_to_it(
    tmp_path: Path, versions: tuple[int, ...]
) -> None:
    assert SIMULATION_VERSION == 1
    first, *others = versions
    command = AccountOpened(
        "5001", "5001", "0" * 64, replace(OPTIONS, simulation_version=first), Anchor(START_US, START_US)
    )
    with opened(tmp_path) as stored:
        stored.log.append("5001", Record(1, START_US, command))
        for seq, version in enumerate(others, 2):
            changed = OptionsChanged(replace(OPTIONS, simulation_version=version))
            stored.log.append("5001", Record(seq, START_US, changed))
        assert stored.log.is_of_this_simulation("5001") is (set(versions) == {1})


def test_a_database_has_the_accounts_that_were_there_when_it_was_opened(tmp_path: Path) -> None:
    with opened(tmp_path) as stored:
        stored.log.append("5001", opening())
        assert (stored.log.accounts_at_start(), stored.log.accounts()) == ([], ["5001"])
    with opened(tmp_path) as stored:
        assert stored.log.accounts_at_start() == ["5001"]


def test_accounts_are_told_in_order_with_those_whose_log_is_gone(tmp_path: Path) -> None:
    names = [f"500{number}" for number in range(9)]
    with opened(tmp_path) as stored:
        for name in reversed(names):
            stored.log.append(name, opening(name))
    edit(tmp_path, "DELETE FROM log WHERE account = '5003'")
    with opened(tmp_path) as stored:
        assert stored.log.accounts() == names
