"""A copy of a data directory, taken while it is served: nothing acknowledged is missing, nothing in it is torn."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from conductor_mock.cli import main
from conductor_mock.store import backup
from conductor_mock.store.backup import BackedUp, BackUpError, back_up
from support.contents import change, contents_in
from support.server import ApiCaller, Fake, candidate, md5_of, running

ROUNDS = 4
LARGE = b"a content that is a file " * 4000


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_copy_is_a_data_directory_with_all_that_was_there(tmp_path: Path) -> None:
    with running(data_dir=tmp_path / "data", part_size=8) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", b"a scene")
        caller.submit(job_title="a title that is no row but a content " * 3000)
        caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
        begun = caller.post(
            "/api/v2/files/get_upload_urls", {"upload_files": [candidate("/proj/b", b"0123456789")]}
        ).json()["multiPartURLs"][0]
        assert caller.put(begun["parts"][0]["url"], b"01234567").status == 200
        jobs, listed = caller.jobs(), caller.files()
        made = back_up(tmp_path / "data", tmp_path / "copy")
    assert (made.accounts, made.parts) == (1, 1)
    assert names_in(tmp_path) == {"data", "copy"}

    with running(data_dir=tmp_path / "copy", part_size=8) as fake:
        caller = fake.caller()
        assert (caller.jobs(), caller.files()) == (jobs, listed)
        again = caller.post(
            "/api/v2/files/get_upload_urls", {"upload_files": [candidate("/proj/b", b"0123456789")]}
        ).json()["multiPartURLs"][0]
        assert again["uploadID"] == begun["uploadID"]
        etags = [
            {"partNumber": number, "etag": hashlib.md5(piece).hexdigest()}
            for number, piece in ((1, b"01234567"), (2, b"89"))
        ]
        assert caller.put(again["parts"][1]["url"], b"89").status == 200
        whole = {"uploadID": again["uploadID"], "hash": md5_of(b"0123456789"), "completedParts": etags}
        assert caller.post("/api/v2/files/multipart/complete", whole).status in (200, 201, 204), (
            "the part of before is there"
        )


def test_a_copy_that_is_taken_under_load_misses_nothing_acknowledged_and_tears_nothing(
    tmp_path: Path,
) -> None:
    with running(data_dir=tmp_path / "data") as fake:
        over = threading.Event()
        told: dict[str, list[tuple[str, bytes]]] = {}

        def submits(name: str) -> None:
            caller = fake.caller(name, f"the key of {name}")
            mine = told.setdefault(name, [])
            number = 0
            while not over.is_set():
                content = f"{name} {number}".encode() * 50
                caller.upload(f"/proj/{number}", content)
                assert caller.submit().status == 201
                mine.append((f"/proj/{number}", content))
                number += 1

        def resets() -> None:
            caller = fake.caller("fickle", "the key of the fickle")
            while not over.is_set():
                caller.upload("/proj/gone", b"what will be gone" * 100)
                assert caller.post("/_mock/reset", query={"account": "fickle"}).status == 204

        with ThreadPoolExecutor(4) as pool:
            running_on = [pool.submit(submits, "one"), pool.submit(submits, "two"), pool.submit(resets)]
            try:
                copies = []
                for number in range(ROUNDS):
                    before = {name: list(mine) for name, mine in told.items()}
                    back_up(tmp_path / "data", tmp_path / str(number))
                    most = {name: len(mine) + 1 for name, mine in told.items()}
                    copies.append((tmp_path / str(number), before, most))
            finally:
                over.set()
            for ended in running_on:
                ended.result()
    assert any(before.get("one") for _, before, _ in copies), "something was acknowledged before a copy"
    for folder, before, most in copies:
        with running(data_dir=folder) as copy:
            for name, mine in before.items():
                caller = copy.caller(name, f"the key of {name}")
                assert len(mine) <= len(caller.jobs()) <= most[name]
                stored = caller.files()
                for path, content in mine:
                    assert stored[path] == md5_of(content)
                    assert copy.service.objects.has(digest(content))
        for name, content in contents_in(folder).items():
            assert digest(content).hex() == name


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


def interrupted(fake: Fake, caller: ApiCaller, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Let an account be reset between a database's copy and that of its contents, so many times."""
    copies: list[int] = []
    copy_database: Callable[[Path, Path], None] = backup._copy_database

    def then_reset(source: Path, target: Path) -> None:
        copy_database(source, target)
        copies.append(len(copies))
        if len(copies) <= times:
            assert caller.post("/_mock/reset", query={"account": caller.client_id}).status == 204
            if len(copies) < times:
                caller.upload("/proj/a", LARGE + b"%d" % len(copies))

    monkeypatch.setattr(backup, "_copy_database", then_reset)
    return copies


def test_a_reset_in_the_middle_begins_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(data_dir=tmp_path / "data") as fake:
        caller = fake.caller()
        caller.upload("/proj/a", LARGE)
        copies = interrupted(fake, caller, monkeypatch, 3)
        made = back_up(tmp_path / "data", tmp_path / "copy")
        assert len(copies) == 4
        assert made == BackedUp(accounts=1, contents=0, content_bytes=0, parts=0)


def test_one_that_is_reset_for_ever_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(data_dir=tmp_path / "data") as fake:
        caller = fake.caller()
        caller.upload("/proj/a", LARGE)
        interrupted(fake, caller, monkeypatch, 1000)
        with pytest.raises(BackUpError, match="were reset"):
            back_up(tmp_path / "data", tmp_path / "copy")
    assert names_in(tmp_path) == {"data"}


@pytest.mark.parametrize("content", [b"a content", LARGE], ids=["in the table", "a file"])
def test_a_damaged_content_is_named_and_no_copy_is_made(tmp_path: Path, content: bytes) -> None:
    with running(data_dir=tmp_path / "data") as fake:
        fake.caller().upload("/proj/a", content)
    change(tmp_path / "data", digest(content), content.upper())
    said = CliRunner().invoke(main, ["backup", "--data-dir", str(tmp_path / "data"), str(tmp_path / "copy")])
    assert said.exit_code == 2
    assert md5_of(content) in said.output or digest(content).hex() in said.output
    assert "damaged" in said.output
    assert names_in(tmp_path) == {"data"}


HOSTILE = ["content", "part", "keys.json"]


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_is_neither_waited_for_nor_followed(tmp_path: Path, what: str, kind: str) -> None:
    data, secret = tmp_path / "data", tmp_path / "secret"
    secret.write_bytes(b"not for copies")
    with running(data_dir=data) as fake:
        fake.caller().upload("/proj/a", LARGE)
    with running(data_dir=data, part_size=8) as fake:
        caller = fake.caller()
        wanted = candidate("/proj/b", b"0123456789")
        begun = caller.post("/api/v2/files/get_upload_urls", {"upload_files": [wanted]}).json()
        assert caller.put(begun["multiPartURLs"][0]["parts"][0]["url"], b"01234567").status == 200
    name = digest(LARGE).hex()
    places = {"content": next(data.glob(f"objects/*/{name}")), "part": next(data.glob("parts/*/*/*"))}
    path = places.get(what, data / what)
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(secret)
    else:
        path.mkdir()
    said = CliRunner().invoke(main, ["backup", "--data-dir", str(data), str(tmp_path / "copy")])
    copied = [path.read_bytes() for path in tmp_path.glob("copy/**/*") if path.is_file()]
    assert said.exit_code in (0, 2), said.output
    assert said.exception is None or isinstance(said.exception, SystemExit)
    assert not [content for content in copied if b"not for copies" in content]
    assert (said.exit_code == 0) == (what == "part"), said.output
    assert names_in(tmp_path) == {"data", "secret"} | ({"copy"} if what == "part" else set())


@pytest.mark.parametrize("damage", [b"not base64", b"\xff\xfe", b"YQ=="])
@pytest.mark.parametrize("words", [["backup"], ["prune"], ["prune", "--dry-run"]])
@pytest.mark.parametrize(
    ("table", "content"),
    [("holdings", b"a content"), ("holdings", LARGE), ("small_contents", b"a content")],
    ids=["in the table", "a file", "the table's own"],
)
def test_a_row_that_means_no_content_is_a_sentence_and_nothing_goes(
    tmp_path: Path, damage: bytes, words: list[str], table: str, content: bytes
) -> None:
    data = tmp_path / "data"
    with running(data_dir=data) as fake:
        fake.caller().upload("/proj/a", content)
    with closing(sqlite3.connect(data / "conductor.db")) as connection, connection:
        connection.execute(f"UPDATE OR IGNORE {table} SET md5 = CAST(? AS TEXT)", (damage,))
    before = stored_in(data)
    copy = [str(tmp_path / "copy")] if words == ["backup"] else []
    said = CliRunner().invoke(main, [*words, "--data-dir", str(data), *copy])
    assert said.exit_code == 2, said.output
    assert "conductor-mock check" in said.output or "Could not decode" in said.output
    assert before == stored_in(data)
    assert names_in(tmp_path) == {"data"}


def stored_in(data: Path) -> list[object]:
    """Every content of a directory by its name, whatever that is, with its bytes."""
    with closing(sqlite3.connect(data / "conductor.db")) as connection:
        rows = connection.execute("SELECT CAST(md5 AS BLOB), bytes FROM small_contents ORDER BY 1").fetchall()
    files = [path for path in sorted((data / "objects").rglob("*")) if path.is_file()]
    return [*rows, *((path.name, path.read_bytes()) for path in files)]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_waits_where_a_copy_is_made_gets_nothing(tmp_path: Path, kind: str) -> None:
    with running(data_dir=tmp_path / "data") as fake:
        fake.caller().upload("/proj/a", b"a content")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    waiting = tmp_path / ".copy.partial"
    if kind == "link":
        waiting.symlink_to(elsewhere)
    else:
        waiting.mkdir(mode=0o777)
    back_up(tmp_path / "data", tmp_path / "copy")
    assert (tmp_path / "copy" / "keys.json").is_file()
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    assert not [*elsewhere.iterdir(), *waiting.iterdir()]


def test_the_command_says_what_a_copy_holds_and_takes_no_folder_that_is_there(tmp_path: Path) -> None:
    with running(data_dir=tmp_path / "data") as fake:
        fake.caller().upload("/proj/a", b"a content")
        arguments = ["backup", "--data-dir", str(tmp_path / "data"), str(tmp_path / "below" / "copy")]
        said = CliRunner().invoke(main, arguments)
        assert (said.exit_code, said.output) == (
            0,
            f"{tmp_path}/below/copy: 1 account, 1 content of 9 bytes, 0 parts of uploads\n",
        )
        again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_a_directory_without_a_database_is_told_how_one_elsewhere_is_copied(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    said = CliRunner().invoke(main, ["backup", "--data-dir", str(tmp_path / "data"), str(tmp_path / "copy")])
    assert said.exit_code == 2
    assert "pg_dump" in said.output
    assert names_in(tmp_path) == {"data"}


def test_a_database_elsewhere_is_copied_into_the_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere/log.db"
    with running(data_dir=tmp_path / "data", database_url=url) as fake:
        caller = fake.caller()
        caller.upload("/proj/a", b"a content")
        caller.submit()
        jobs = caller.jobs()
        said = CliRunner().invoke(
            main,
            ["backup", "--data-dir", str(tmp_path / "data"), "--database-url", url, str(tmp_path / "copy")],
        )
    assert said.output == f"{tmp_path}/copy: 1 account, 1 content of 9 bytes, 0 parts of uploads\n"
    with running(data_dir=tmp_path / "copy") as fake:
        assert fake.caller().jobs() == jobs


def test_a_database_that_the_directory_is_not_used_with_any_more_is_not_copied(tmp_path: Path) -> None:
    with running(data_dir=tmp_path / "before") as fake:
        fake.caller().upload("/proj/a", b"of before")
    with running(data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path}/log.db") as fake:
        fake.caller().upload("/proj/a", b"a content")
    (tmp_path / "before" / "conductor.db").rename(tmp_path / "data" / "conductor.db")
    said = CliRunner().invoke(main, ["backup", "--data-dir", str(tmp_path / "data"), str(tmp_path / "copy")])
    assert said.exit_code == 2
    assert "is not the database that" in said.output
    assert not (tmp_path / "copy").exists()


def test_a_postgresql_database_is_copied_and_restored_as_the_command_says(tmp_path: Path) -> None:
    url = os.environ.get("CONDUCTOR_MOCK_TEST_POSTGRES", "postgresql+psycopg://kim:hunter2@db.example/farm")
    said = CliRunner().invoke(
        main, ["backup", "--data-dir", str(tmp_path / "data"), "--database-url", url, str(tmp_path / "copy")]
    )
    assert said.exit_code == 2
    words = [
        "'pg_dump --format=custom' first",
        f"then the data directory {tmp_path / 'data'}",
        "'pg_restore' into an empty database",
    ]
    assert [word for word in words if word not in said.output] == []
    assert "hunter2" not in said.output
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    if "CONDUCTOR_MOCK_TEST_POSTGRES" not in os.environ or not tools:
        pytest.skip("CONDUCTOR_MOCK_TEST_POSTGRES names no PostgreSQL database")
    where = str(make_url(url).query["host"])
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    names = [f"backup_{os.getpid()}", f"restored_{os.getpid()}"]
    urls = [make_url(url).set(database=name).render_as_string(hide_password=False) for name in names]

    def tool(name: str, *arguments: str) -> None:
        subprocess.run(
            [tools[-1].with_name(name), "--host", where, "--username", "postgres", *arguments], check=True
        )

    with engine.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        try:
            with running(data_dir=tmp_path / "data", database_url=urls[0]) as fake:
                caller = fake.caller()
                caller.upload("/proj/a", b"a content")
                caller.submit(job_title="before the copy")
                jobs, key = caller.jobs(), fake.service.keys
                tool("pg_dump", "--format=custom", "--file", str(tmp_path / "dump"), names[0])
                shutil.copytree(tmp_path / "data", tmp_path / "copy")
                caller.submit(job_title="after it")
                caller.upload("/proj/b", b"of later")
            tool("pg_restore", "--dbname", names[1], str(tmp_path / "dump"))
            with running(data_dir=tmp_path / "copy", database_url=urls[1]) as fake:
                caller = fake.caller()
                assert (caller.jobs(), list(caller.files())) == (jobs, ["/proj/a"])
                assert fake.service.keys == key
                caller.submit(job_title="it goes on")
            checked = CliRunner().invoke(
                main, ["check", "--data-dir", str(tmp_path / "copy"), "--database-url", urls[1]]
            )
            assert checked.exit_code == 0, checked.output
        finally:
            for name in names:
                connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    engine.dispose()
