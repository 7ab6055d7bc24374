"""Where the log comes to lie, whatever the path or URL looks like; and that no two servers have one database."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError, of_file
from support.server import running

ODD = [
    "branch%2Fx",
    "what?",
    "a#b",
    "a b",
    "%41",
    "x?mode=ro",
    "p@q:1",
    "file:x",
    "ü",
    "a&b=c",
    "%",
    "a+b",
    ":memory:",
    "~",
]


@pytest.mark.parametrize("name", ODD)
def test_the_log_lies_in_the_data_directory_whatever_its_name(tmp_path: Path, name: str) -> None:
    with running(data_dir=tmp_path / "in" / name) as fake:
        fake.default_caller().submit()

    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == [name]
    assert (tmp_path / "in" / name / "conductor.db").stat().st_size > 0
    with running(data_dir=tmp_path / "in" / name) as fake:
        assert len(fake.default_caller().jobs()) == 1


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30
)


@given(names)
def test_the_url_of_a_file_means_that_file(name: str) -> None:
    assert of_file(Path("/data") / name / "conductor.db").database == str(
        Path("/data") / name / "conductor.db"
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:port/db",
        "postgresql://me:s3cret@127.0.0.1:99999/db",
        "postgresql://me:s3cret@127.0.0.1:1/db",
        "postgresql+nosuchdriver://me:s3cret@127.0.0.1/db",
        "postgresql+pg8000://me:s3cret@127.0.0.1/db",
        "postgresql://me:s3c@ret@127.0.0.1:x/db",
        "mysql://me:s3cret@127.0.0.1/db",
        "nosuch://me:s3cret@127.0.0.1/db",
        "nosuch+x://me:s3cret@h:b/db",
        "sqlite://me:s3cret@host/x.db",
        "sqlite+aiosqlite:////tmp/nowhere/x.db",
        "sqlite+nosuch:////tmp/nowhere/x.db",
        "sqlite:///file:x?uri=true",
        "sqlite://tmp/x.db",
        "sqlite:////",
        "sqlite:////etc/passwd/x.db",
        "//me:s3cret@h/db",
        "/path/conductor.db",
        "",
    ],
)
def test_a_url_that_cannot_be_used_is_a_sentence_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        Database(url)
    assert "s3cret" not in str(refused.value)
    assert "s3c@ret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [*ODD, b"caf\xe9".decode("utf-8", "surrogateescape")])
def test_a_relative_data_directory_is_one_below_the_current_folder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for jobs in (1, 2):
        with running(data_dir=Path(name)) as fake:
            fake.default_caller().submit()
            assert len(fake.default_caller().jobs()) == jobs
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_no_regular_file_is_no_database_and_stays_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    (tmp_path / "link").symlink_to(pipe)
    mode = pipe.stat().st_mode

    for path in (pipe, tmp_path / "link"):
        with pytest.raises(DatabaseError, match="it is no regular file"):
            Database(of_file(path))

    assert pipe.stat().st_mode == mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_link_to_a_database_does_not_let_a_second_server_in(tmp_path: Path) -> None:
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "x.db")
    ways = [tmp_path / "link.db", tmp_path / "folder" / "x.db", tmp_path / "real" / ".." / "real" / "x.db"]
    for first in ways:
        with Database(of_file(first)):
            for second in ways:
                with pytest.raises(DatabaseError, match="in use by another"):
                    Database(of_file(second))


def test_a_database_with_two_names_is_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "one.db").close()
    Database(of_file(tmp_path / "one.db")).close()
    os.link(tmp_path / "one.db", tmp_path / "two.db")

    with pytest.raises(DatabaseError, match="more than one name"):
        Database(of_file(tmp_path / "two.db"))
