"""Small contents in the table, others in files: one store, whose promises are the same for all sizes."""

from __future__ import annotations

import hashlib
import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.cli import main
from conductor_mock.settings import Settings
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.database import SCHEMA_VERSION, Database, NewRows
from conductor_mock.store.database_url import of_file
from conductor_mock.store.log import INLINE_BYTES
from conductor_mock.store.objects import (
    DamagedContentError,
    ObjectStore,
    TooLargeError,
    WrongContentError,
    last_held_back,
)
from conductor_mock.store.read_write_lock import ReadWriteLock
from conductor_mock.store.small_contents import SMALL_BYTES
from conductor_mock.store.table_and_files import TableAndFiles
from conductor_mock.upkeep import check
from support.contents import change, contents_in, small_contents
from support.durability import Recorder, each_kill, recorded
from support.examples import examples
from support.server import md5_of, running

GOLDEN = Path(__file__).parent / "golden" / "directory-1"
ACCOUNT = "an account"
EDGES = (0, 1, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, 3 * SMALL_BYTES)
sizes = st.one_of(st.sampled_from(EDGES), st.integers(0, 2 * SMALL_BYTES))


def of_size(size: int, seed: int = 0) -> bytes:
    return (b"%d " % seed * (size // 2 + 1))[:size]


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


def blocks(content: bytes, each: int) -> Iterator[bytes]:
    return (content[start : start + each] for start in range(0, len(content), each))


@contextmanager
def opened(folder: Path) -> Iterator[tuple[TableAndFiles, AccountContents, Database]]:
    with Database(of_file(folder / "conductor.db")) as database:
        store = TableAndFiles(folder, database)
        yield store, AccountContents(database, store), database


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableAndFiles]:
    with opened(tmp_path_factory.mktemp("store")) as (made, _, _):
        yield made


def test_what_the_log_keeps_as_a_content_is_a_file() -> None:
    """It is placed before its command is committed, and comes in with no transaction."""
    assert SMALL_BYTES <= INLINE_BYTES


@examples(20, full=50)
@given(size=sizes, each=st.sampled_from([1000, 1 << 16, 1 << 18]), first=st.integers(0, 3 * SMALL_BYTES))
@example(size=SMALL_BYTES, each=1 << 18, first=7)
@example(size=SMALL_BYTES + 1, each=1 << 18, first=7)
def test_a_content_of_any_size_is_there_whole_until_it_is_deleted(
    store: TableAndFiles, size: int, each: int, first: int
) -> None:
    content = of_size(size, each)
    md5 = digest(content)
    store.put(io.BytesIO(content), md5=md5, size=size)
    there = store.look_up(md5)
    assert (there.size, store.has(md5), store.those_there({md5, digest(b"another")})) == (size, True, {md5})
    assert store.read(md5) == content
    with there.open() as file:
        assert b"".join(last_held_back(blocks(file.read(), each))) == content
    with store.open_checked(md5) as file:
        file.seek(first)
        assert file.read(100) == content[first : first + 100]
    with there.open_part(first, 100) as file:
        assert file.read(100) == content[first : first + 100]
    assert store.path(md5).exists() == (size > SMALL_BYTES), "a small one is no file"
    assert store.checked(md5).read_bytes() == content
    assert store.checked(md5) == store.path(md5)
    assert store.read(md5) == content
    store.delete(md5)
    assert (store.has(md5), store.those_there([md5])) == (False, set())
    for use in (store.read, store.look_up, store.checked):
        with pytest.raises(FileNotFoundError):
            use(md5)


@given(size=sizes, declared=sizes, most=st.none() | sizes, chunk=st.sampled_from([1000, 1 << 18]))
def test_a_body_of_any_size_that_is_not_the_declared_one_leaves_nothing(
    store: TableAndFiles, size: int, declared: int, most: int | None, chunk: int
) -> None:
    content = of_size(size, 7)
    wanted = digest(content[::-1] + b"!")

    def write(md5: bytes | None, declared: int | None, most: int | None) -> None:
        with store.write(blocks(content, chunk), md5=md5, size=declared, most=most) as new, new.placed():
            pytest.fail("it is refused before")

    with pytest.raises(WrongContentError, match="md5"):
        write(wanted, None, None)
    if declared != size:
        with pytest.raises(WrongContentError, match="declared"):
            write(digest(content), declared, None)
    if most is not None and size > most:
        with pytest.raises(TooLargeError):
            write(digest(content), None, most)
    assert not store.has(digest(content))
    assert contents_in(store.root) == {}
    assert list((store.root / "incoming").iterdir()) == []


def upload(folder: Path, kill_at: int | None = None) -> Recorder:
    content = b"a small content"
    with opened(folder) as (store, contents, database), recorded(kill_at) as recorder:
        recorder.watch(database.engine)
        with store.receive(io.BytesIO(content), md5=digest(content), size=len(content)) as received:
            contents.add_upload(ACCOUNT, received, t_us=1)
            recorder.answer()
    return recorder


def test_a_small_upload_waits_for_one_commit_and_nothing_else(tmp_path: Path) -> None:
    assert upload(tmp_path).kinds == ["commit", "answer"]


def test_after_a_kill_at_any_moment_a_small_upload_is_there_with_its_row_or_not_at_all(
    tmp_path: Path,
) -> None:
    seen = []
    for folder, recorder in each_kill(upload, tmp_path):
        with opened(folder) as (store, contents, _):
            held = contents.held(ACCOUNT, [md5_of(b"a small content")])
            assert list(contents_in(folder).values()) == [b"a small content"] * len(held)
            assert store.has(digest(b"a small content")) == bool(held)
            assert held or not recorder.answered
            seen.append(bool(held))
    assert set(seen) == {True, False}


def test_nobody_sees_a_small_content_before_its_commit(tmp_path: Path) -> None:
    with opened(tmp_path) as (store, contents, database):
        seen: list[tuple[bool, set[str]]] = []
        insert = database.insert_new

        def look_first(connection: sa.Connection, new: NewRows) -> int:
            count = insert(connection, new)
            seen.append((store.has(digest(b"x")), contents.held(ACCOUNT, [md5_of(b"x")])))
            return count

        database.insert_new = look_first  # type: ignore[method-assign]
        with store.write([b"x"]) as new:
            contents.add_upload(ACCOUNT, new, t_us=1)
        assert seen == [(False, set())] * 2
        assert contents.held(ACCOUNT, [md5_of(b"x")]) == {md5_of(b"x")}


def test_a_damaged_small_content_is_set_aside_and_stored_anew_when_it_comes_again(tmp_path: Path) -> None:
    with opened(tmp_path) as (store, contents, _):
        md5 = digest(b"content")
        for read in (
            store.read,
            store.checked,
            store.open_checked,
            lambda md5: store.look_up(md5).open_part(0, 1),
        ):
            with store.write([b"content"]) as new:
                contents.add_upload(ACCOUNT, new, t_us=1)
            change(tmp_path, md5, b"cuntent")
            with pytest.raises(DamagedContentError):
                read(md5)
            assert contents.held(ACCOUNT, [md5_of(b"content")]) == set(), "so it is asked for"
        kept = sorted(path.name for path in (tmp_path / "damaged").iterdir())
        assert kept == [md5.hex(), *(f"{md5.hex()}.{number}" for number in (2, 3, 4))]
        assert {path.read_bytes() for path in (tmp_path / "damaged").iterdir()} == {b"cuntent"}


def test_prune_takes_small_contents_that_nothing_refers_to_and_no_others(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller().upload("/proj/a", b"kept")
        fake.service.objects.put(io.BytesIO(b"nobody's"), md5=digest(b"nobody's"), size=8)
    assert len(small_contents(tmp_path)) == 3, "with a snapshot"
    said = CliRunner().invoke(main, ["prune", "--data-dir", str(tmp_path)])
    assert (said.exit_code, said.output) == (0, "removed 1 content and 0 parts, 8 bytes\n")
    assert b"kept" in small_contents(tmp_path).values()
    assert b"nobody's" not in small_contents(tmp_path).values()


def test_a_damaged_database_that_is_made_anew_has_its_small_contents(tmp_path: Path) -> None:
    content = bytes(range(256))  # no UTF-8
    with running(data_dir=tmp_path) as fake:
        fake.caller().upload("/proj/a", content)
    with closing(sqlite3.connect(tmp_path / "conductor.db")) as connection, connection:
        connection.execute("CREATE TABLE none_of_ours (a)")
    assert check(Settings(data_dir=tmp_path), repair=True).left == []
    assert content in small_contents(tmp_path).values()
    assert check(Settings(data_dir=tmp_path), repair=False).damages == []


def golden(folder: Path) -> Path:
    """A data directory of schema 1, in which every content is a file."""
    shutil.copytree(GOLDEN / "objects", folder / "objects")
    with closing(sqlite3.connect(folder / "conductor.db")) as connection:
        connection.executescript((GOLDEN / "conductor.sql").read_text())
    return folder


def test_a_directory_of_before_has_no_damage_and_goes_on(tmp_path: Path) -> None:
    folder = golden(tmp_path)
    before = contents_in(folder)
    found = check(Settings(data_dir=folder), repair=False)
    assert found.damages == [], "a table that was added is none"
    with running(data_dir=folder) as fake:
        caller = fake.caller()
        assert caller.files() == {"/proj/small.ma": md5_of(b"a small file of before")}
        (record,) = caller.get("/downloads/00001").json()["downloads"]
        (picture,) = record["files"]
        got = caller.get(picture["url"]).content
        assert (md5_of(got), len(got)) == (picture["md5"], picture["size"])
        caller.upload("/proj/new.ma", b"a small file of now")
        assert before.keys() - contents_in(folder).keys() == set(), "nothing of before was swept"
        assert small_contents(folder)[digest(b"a small file of now").hex()]
    with closing(sqlite3.connect(folder / "conductor.db")) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    assert version == str(SCHEMA_VERSION) != "1", "so a server of before refuses it"
    assert check(Settings(data_dir=folder), repair=False).damages == []


def test_a_file_of_before_goes_with_its_last_account(tmp_path: Path) -> None:
    with running(data_dir=golden(tmp_path)) as fake:
        caller = fake.caller()
        caller.upload("/proj/again.ma", b"a small file of before")
        caller.post("/_mock/reset", query={"account": caller.client_id})
        assert contents_in(tmp_path) == {}


def test_a_store_of_files_reads_no_table(tmp_path: Path) -> None:
    """A file that lies there is taken, whoever made it."""
    store = ObjectStore(tmp_path)
    store.put(io.BytesIO(b"x"), md5=digest(b"x"), size=1)
    with opened(tmp_path) as (both, contents, _):
        with both.write([b"x"]) as new:
            contents.add_upload(ACCOUNT, new, t_us=1)
        change(tmp_path, digest(b"x"), b"y")
        with pytest.raises(DamagedContentError):
            both.read(digest(b"x"))
        assert both.read(digest(b"x")) == b"x", "the one in the table is whole"


@pytest.mark.parametrize("size", [10, SMALL_BYTES + 1])
def test_a_damaged_content_has_no_path_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    content = of_size(size)
    with opened(tmp_path) as (store, _, _):
        store.put(io.BytesIO(content), md5=digest(content), size=size)
        change(tmp_path, digest(content), b"another")
        with pytest.raises(DamagedContentError):
            store.checked(digest(content))
        with pytest.raises(FileNotFoundError):
            store.checked(digest(content))
    told = [record.getMessage() for record in caplog.records if md5_of(content) in record.getMessage()]
    assert len(told) == 1
    assert "is damaged and is set aside" in told[0]


@pytest.mark.parametrize("options", [{}, {"durable": True}, {"durable": False}])
def test_a_small_content_that_needs_a_path_is_on_disk_before_it_has_one_where_it_is_kept(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    content = of_size(10)
    with Database(of_file(tmp_path / "conductor.db")) as database:
        store = TableAndFiles(tmp_path, database, **options)
        store.put(io.BytesIO(content), md5=digest(content), size=10)
        with recorded() as recorder:
            path = store.checked(digest(content))
        if options.get("durable", True):
            recorder.renamed_to(path)
        else:
            assert "sync" not in recorder.kinds
    assert path.read_bytes() == content


def test_a_path_is_made_while_nobody_deletes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = of_size(10)
    with opened(tmp_path) as (store, _, _):
        store.put(io.BytesIO(content), md5=digest(content), size=10)
        lock, has, sharing = store.lock, store.has, list[int]()
        assert isinstance(lock, ReadWriteLock)

        def seen(md5: bytes) -> bool:
            sharing.append(lock._sharing)
            return has(md5)

        monkeypatch.setattr(store, "has", seen)
        store.checked(digest(content))
    assert sharing == [1]
