"""The fixtures of these tests: a fake in this process whose time stands still, new or shared by the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
