"""A browser for all tests of a worker, and farms to look at; without Chromium the tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from browser.chromium import NoBrowserError, launched
from browser.farms import Farm, filled, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    try:
        with launched() as started:
            yield started
    except NoBrowserError as error:
        pytest.skip(str(error))


@pytest.fixture
def farm() -> Iterator[Farm]:
    """An empty farm whose clock stands still."""
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def full_farm() -> Iterator[Farm]:
    """A farm worth looking at, whose clock stands still."""
    with serving() as served:
        filled(served)
        yield served
