"""Keep the tests of the client away from the settings, tokens and caches of whoever runs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest


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
