"""What tests of the client share, and what keeps them from the settings, tokens and caches of whoever runs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import responses

from conductor.lib.api_client import ApiClient
from support.client_world import make_client
from support.fake_service import FakeService


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    """What answers instead of a service; every answer that was registered must be asked for."""
    with responses.RequestsMock() as requests_mock:
        yield requests_mock


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ApiClient]:
    """A client of the service at `support.client_world.URL`."""
    with make_client(tmp_path) as one:
        yield one


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service in memory that takes whole submissions."""
    fake = FakeService()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake.install(mock)
        yield fake


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own empty home folder (see also ``tests/conftest.py``)."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Undo what set_logging did."""
    logger = logging.getLogger("conductor")
    handlers, level = list(logger.handlers), logger.level
    yield
    for handler in [handler for handler in logger.handlers if handler not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)
