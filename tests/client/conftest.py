"""What tests of the client share, and what keeps them from the settings, tokens and caches of whoever runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import responses

from conductor.lib.api_client import ApiClient
from conductor.lib.wire.transport import Transport
from support.client_world import make_client
from support.fake_service import FakeService

_CLIENT_ALONE = find_spec("conductor_contracts") is None
"""Python 3.9 has no more: what is imported from the other distribution is not there."""
_OTHER = re.compile(r"^(?:from|import) conductor_(?:contracts|mock)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files that need the other distribution, where there is only the client."""
    if not _CLIENT_ALONE or collection_path.suffix != ".py":
        return None
    return True if _OTHER.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_report_header() -> list[str]:
    """Say so."""
    return ["the client alone: tests that import contracts or server are left out"] if _CLIENT_ALONE else []


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    """What answers instead of a service; every answer that was registered must be asked for."""
    with responses.RequestsMock() as requests_mock:
        yield requests_mock


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ApiClient]:
    """A client of the service at `support.client_world.URL`."""
    with make_client(tmp_path) as opened:
        yield opened


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service in memory that takes whole submissions."""
    fake = FakeService()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake.install(mock)
        yield fake


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before asking again."""
    monkeypatch.setattr(Transport, "pause", lambda _transport, _seconds: None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own empty home folder (see also ``tests/conftest.py``)."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder
