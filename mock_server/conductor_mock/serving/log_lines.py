"""What the server logs, as text or JSON: a line for each record, whatever requests put into it, and no secrets.

Lines of requests are written by a thread of their own, some at a time: no answer waits for a terminal or a pipe.
"""

from __future__ import annotations

import json
import logging
from typing import Any, TextIO

from conductor_contracts.printing import visible
from conductor_mock.store.batches import Batches
from conductor_mock.wire.masking import mask_text

REQUESTS = "conductor_mock.access"
"""The logger of the lines of requests: what came, and what was odd about it."""

_OF_A_RECORD = 500
"""About how many bytes a record keeps in memory until it is written."""


class BatchedLines(logging.Handler):
    """Writes to a stream: what is out of the ordinary at once, with all before it, other lines a moment later.

    What a client does is nothing out of the ordinary: a contract warning is in its answer and in the journal, too.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._batches: Batches[logging.LogRecord] = Batches("conductor-mock log", self._write)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.msg, record.args = record.getMessage(), None  # what it is made of may change
            self._batches.hand_in(record, _OF_A_RECORD + len(record.msg))
            if record.levelno >= logging.WARNING and record.name != REQUESTS:
                self._batches.settle()
        except Exception:  # noqa: BLE001 - as handlers do
            self.handleError(record)

    def _write(self, records: list[logging.LogRecord]) -> None:
        lines = []
        for record in records:
            try:
                lines.append(f"{self.format(record)}\n")
            except Exception:  # noqa: BLE001 - as handlers do: the others are written
                self.handleError(record)
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except Exception:  # noqa: BLE001 - as handlers do
            self.handleError(records[-1])

    def flush(self) -> None:
        """Write what waits."""
        self._batches.settle()

    def close(self) -> None:
        """Write what waits. What comes later is written at once."""
        self._batches.close()
        super().close()


class TextLines(logging.Formatter):
    """A record on one line; what belongs to a traceback follows it, indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(mask_text(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:
        lines = mask_text(super().formatException(ei)).split("\n")
        return "\n".join(f"  {visible(line)}" for line in lines)


class JsonLines(logging.Formatter):
    """A record as a JSON object: time (epoch seconds), level, logger, message, and its traceback if it has one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": mask_text(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = mask_text(self.formatException(record.exc_info))
        return json.dumps(line)
