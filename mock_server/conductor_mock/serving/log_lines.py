"""What the server logs, as text or JSON: a line for each record, whatever requests put into it, and no secrets."""

from __future__ import annotations

import json
import logging
from typing import Any

from conductor_contracts.printing import visible
from conductor_mock.wire.masking import mask_text


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
