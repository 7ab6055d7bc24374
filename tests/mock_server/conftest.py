"""The fixtures of these tests: a fake in this process whose time stands still, new or shared by the tests of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from conductor_mock.store.tables import METADATA
from support.server import Fake, running


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A throw-away fake; the key of its ready file is that of `fake.default_caller()`."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def shared_fake() -> Iterator[Fake]:
    """One fake for the examples of a property, each of which takes an account of its own (`newcomer`)."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[sa.Engine]:
    """A PostgreSQL database that this process alone has: what waits for another test's would count as its own time."""
    given = os.environ.get("CONDUCTOR_MOCK_TEST_POSTGRES")
    if not given:
        pytest.skip("CONDUCTOR_MOCK_TEST_POSTGRES names no PostgreSQL database")
    name = f"conductor_mock_test_{os.getpid()}"
    server = sa.create_engine(given, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine = sa.create_engine(sa.make_url(given).set(database=name))
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres(postgres_database: sa.Engine) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, which one test has at a time."""
    METADATA.drop_all(postgres_database)
    yield postgres_database.url.render_as_string(hide_password=False)
    METADATA.drop_all(postgres_database)
