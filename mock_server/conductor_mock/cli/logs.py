"""The log that a server writes to the standard error."""

from __future__ import annotations

import logging
import sys

from conductor_mock.serving.log_lines import BatchedLines, JsonLines, TextLines

_OF_THE_STORE = ("botocore", "urllib3")
"""Loggers of the libraries that talk to a bucket: their messages could hold keys, and ours say what failed."""


def set_up_logging(form: str, level: int = logging.INFO) -> None:
    """Write what is logged from `level` on as lines of `form`: text or json."""
    handler = BatchedLines(sys.stderr)
    handler.setFormatter(
        JsonLines() if form == "json" else TextLines("%(asctime)s %(levelname)s %(message)s")
    )
    handler.addFilter(is_told)
    logging.basicConfig(level=level, handlers=[handler])


def is_told(record: logging.LogRecord) -> bool:
    """Whether a record goes into the server's log; whoever else listens to those libraries hears them as before."""
    return record.name.partition(".")[0] not in _OF_THE_STORE
