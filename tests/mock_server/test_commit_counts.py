"""The count of transactions in a file beside the database."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store import commits
from conductor_mock.store.commits import Commits
from conductor_mock.store.tables import META, METADATA


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    with sa.create_engine("sqlite://").begin() as connection:
        METADATA.create_all(connection, tables=[META])
        connection.execute(META.insert().values(name="another", value="77"))
        yield connection


def note(connection: sa.Connection, value: str) -> None:
    connection.execute(META.insert().values(name=commits.NAME, value=value))


def test_a_file_says_what_was_last_committed(tmp_path: Path, connection: sa.Connection) -> None:
    path = commits.file_of(tmp_path / "a.db")
    assert path == tmp_path / "a.db.commits"
    assert commits.noted(path) is None
    note(connection, "7")
    count = Commits(path, 7)
    assert commits.noted(path) == 7
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for number in (8, 9):
        assert count.next(connection) == number
        assert commits.counted(connection) == number
        assert commits.noted(path) == number - 1, "nothing is noted before the commit"
        count.committed(number)
        assert commits.noted(path) == number
    count.close()
    assert count._file.closed


def test_where_several_count_the_database_knows(tmp_path: Path, connection: sa.Connection) -> None:
    note(connection, "4")
    one = Commits(tmp_path / "commits", None, is_shared=True)
    assert commits.noted(tmp_path / "commits") is None, "what others noted is left alone"
    assert [one.next(connection) for _ in range(2)] == [5, 6]
    assert commits.counted(connection) == 6
    one.close()


def test_a_database_that_never_counted_begins_with_one(tmp_path: Path, connection: sa.Connection) -> None:
    assert commits.counted(connection) == 0
    note(connection, "no number")
    assert commits.counted(connection) == 0
    count = Commits(tmp_path / "commits", None)
    assert count.next(connection) == 1
    count.close()


@given(st.integers(0, 10**20 - 1), st.integers(0, 29), st.sampled_from("0159af \nx\0"))
def test_a_damaged_count_is_never_taken_for_another(
    tmp_path_factory: pytest.TempPathFactory, number: int, place: int, character: str
) -> None:
    path = tmp_path_factory.mktemp("counts") / "commits"
    text = commits._line(number)
    damaged = text[:place] + character + text[place + 1 :]
    path.write_text(damaged)
    if damaged == text:
        assert commits.noted(path) == number
    else:
        with pytest.raises(ValueError, match=r".+"):
            commits.noted(path)


@pytest.mark.parametrize("text", ["", "\0" * 30])
def test_a_file_that_was_never_written_to_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "commits").write_text(text)
    assert commits.noted(tmp_path / "commits") is None


def test_the_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "commits").write_text(commits._line(5)[:-2])
    with pytest.raises(ValueError, match="commits is damaged"):
        commits.noted(tmp_path / "commits")
    (tmp_path / "commits").write_text("X")
    with pytest.raises(ValueError, match="X"):
        commits.noted(tmp_path / "commits")


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError(28, "No space left on device"), "No space left on device"), (OSError("odd"), "odd")],
)
def test_a_file_that_cannot_be_written_stops_no_commit(
    error: OSError, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, connection: sa.Connection
) -> None:
    class Full:
        name = "the file"

        def seek(self, _: int) -> None:
            raise error

    note(connection, "1")
    count: Any = Commits(tmp_path / "commits", 1)
    count.close()
    count._file = Full()
    count.committed(2)
    assert count.next(connection) == 3
    assert caplog.messages == [f"the file could not be written: {told}"]
