"""Farms in this process, and for every test a log of the client that is left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import Built, built
from support.farm import Farm, Place, farm


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Farm]:
    """A fake in this process, new for each test."""
    with farm(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A fake in this process for all examples of all tests of a module; each example begins by `begin`."""
    folder = tmp_path_factory.mktemp("farm")
    with farm(folder) as opened:
        yield Place(opened, folder / "project")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both distributions, built from this tree."""
    return built(tmp_path_factory)
