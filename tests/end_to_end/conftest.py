"""What every end-to-end test gets besides its own home: a log of the client that is left as it was found."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Take back what `set_logging` does: the command line calls it, in this process too."""
    logger = logging.getLogger("conductor")
    handlers, level = list(logger.handlers), logger.level
    yield
    for handler in [handler for handler in logger.handlers if handler not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)
