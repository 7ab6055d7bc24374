"""The fixtures of these tests: a fake in this process whose time stands still, new or shared by the tests of a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock
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


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, which one test has at a time."""
    given = os.environ.get("CONDUCTOR_MOCK_TEST_POSTGRES")
    if not given:
        pytest.skip("CONDUCTOR_MOCK_TEST_POSTGRES names no PostgreSQL database")
    engine = sa.create_engine(given)
    with filelock.FileLock(Path(tempfile.gettempdir()) / "conductor-mock-test-postgres.lock"):
        METADATA.drop_all(engine)
        yield given
        METADATA.drop_all(engine)
    engine.dispose()
