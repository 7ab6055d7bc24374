"""What the tests of the contract share: the fake without a socket, and every interaction as it answers it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.services import Fake, Recordings, fake_in_process


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    """One frozen, throw-away fake for all tests; interactions make new contents each time."""
    with fake_in_process(tmp_path_factory.mktemp("fake")) as started:
        yield started


@pytest.fixture(scope="session")
def recordings(fake: Fake) -> Recordings:
    """The right answers to every interaction."""
    return Recordings(fake)
