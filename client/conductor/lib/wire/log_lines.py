"""Log records as lines of text that can be believed."""

from __future__ import annotations

import logging
from typing import Any

from conductor.lib.values.visible import visible
from conductor.lib.wire.redaction import scrub


class SafeFormatter(logging.Formatter):
    """Writes a record so that nothing in it looks like another, steers a terminal or is a secret.

    Further lines of a message or traceback begin with two spaces.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the record without its traceback."""
        return visible(scrub(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:
        """Return a traceback, indented."""
        lines = scrub(super().formatException(ei)).split("\n")
        return "\n".join(f"  {visible(line)}" for line in lines)
