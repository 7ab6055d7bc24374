"""Log records as lines of JSON, for whatever collects the logs of daemons."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone

from conductor.lib.wire.redaction import scrub


class JsonFormatter(logging.Formatter):
    """Writes ``{"time", "level", "logger", "message"}`` and what a record has as ``fields``; times are in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record in one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line)


def log_as_json(logger: logging.Logger) -> None:
    """Let what handles this logger's records write JSON."""
    for handler in logger.handlers:
        handler.setFormatter(JsonFormatter())
