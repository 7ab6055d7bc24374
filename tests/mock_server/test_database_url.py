"""The command log in a database of one's own: SQLite by URL, in memory, and PostgreSQL where one is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from conductor_mock.service import open_service
from conductor_mock.settings import Settings
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.tables import METADATA, _making
from support.server import running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'log.db'}"
        return
    yield request.getfixturevalue("postgres")


def test_everything_is_there_after_a_restart(tmp_path: Path, url: str) -> None:
    with running(data_dir=tmp_path, database_url=url) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", b"scene")
        caller.submit(job_title="\u00fc \u4e2d \U0001f600", metadata={"nul": "\0", "notes": "x" * 70_000})
        jobs = caller.jobs()
    assert not (tmp_path / "conductor.db").exists()
    with running(data_dir=tmp_path, database_url=url) as fake:
        caller = fake.caller()
        assert caller.jobs() == jobs
        assert list(caller.files()) == ["/proj/a.ma"]
        assert caller.submit().json()["jobid"] == "00002"


def test_accounts_are_reset_one_by_one(tmp_path: Path, url: str) -> None:
    with running(data_dir=tmp_path, database_url=url) as fake:
        one, other = fake.caller("one"), fake.caller("other")
        for caller in (one, other):
            caller.upload("/proj/a.ma", b"scene")
            caller.submit()
        one.post("/_mock/reset", query={"account": "one"})

        assert (one.jobs(), one.files()) == ([], {})
        assert (len(other.jobs()), list(other.files())) == (1, ["/proj/a.ma"])


def test_a_second_server_on_the_same_database_is_told_so(tmp_path: Path, url: str) -> None:
    other = Settings(data_dir=tmp_path / "other", database_url=url)
    in_use = pytest.raises(DatabaseError, match="is in use by another conductor-mock server")
    with running(data_dir=tmp_path / "one", database_url=url), in_use:
        open_service(other)
    open_service(other).close()


def test_a_newer_schema_is_refused(tmp_path: Path, url: str) -> None:
    with running(data_dir=tmp_path, database_url=url):
        pass
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE meta SET value = '99' WHERE name = 'schema'"))
    engine.dispose()

    with pytest.raises(DatabaseError, match="schema 99"):
        open_service(Settings(data_dir=tmp_path, database_url=url))


def test_a_log_in_memory_is_shared_by_the_threads_of_its_server(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, database_url="sqlite://") as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", b"scene")
        assert [caller.submit().status for _ in range(3)] == [201] * 3
        assert len(caller.jobs()) == 3
        caller.post("/_mock/reset", query={"account": "studio"})
        assert caller.jobs() == []


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"cannot open postgresql") as refused:
        open_service(Settings(data_dir=tmp_path, database_url="postgresql://user:hunter2@127.0.0.1:1/none"))

    assert "hunter2" not in str(refused.value)


@pytest.mark.slow
def test_a_server_on_sqlite_does_without_what_speaks_postgresql() -> None:
    program = (
        "import sys; from conductor_mock.app import create_app, close_app; close_app(create_app());"
        "print([name for name in sys.modules if name.startswith('sqlalchemy.dialects.postgresql')])"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"


def test_the_tables_can_be_made_in_postgresql() -> None:
    made = _making("postgresql")
    for table in METADATA.sorted_tables:
        assert any(one.strip().startswith(f"CREATE TABLE IF NOT EXISTS {table.name} ") for one in made)
