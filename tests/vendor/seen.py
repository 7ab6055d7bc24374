"""What programs were seen to send, as rows of the fidelity table: whatever is there is graded `ran` or better."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from conductor_contracts.contract import load

OURS = "conductor-mock"
"""In the User-Agent of this project's client, which is no witness."""

Row = tuple[str, str, str]
"""Operation, part and name, as in `Evidence`."""


def seen(entries: Iterable[dict[str, Any]]) -> list[Row]:
    """The rows of all that requests of a journal carried, those that were served, in order."""
    return sorted({row for entry in entries if entry["status"] < 400 for row in _rows(entry)})


def _rows(entry: dict[str, Any]) -> Iterator[Row]:
    operation = entry["operation"]
    if operation not in load().operations or OURS in entry["headers"].get("User-Agent", ""):
        return
    yield operation, "operation", ""
    yield operation, "response", str(entry["status"])
    for name in entry["query"]:
        yield operation, "query", name
    text = (entry["body"] or {}).get("text")
    try:
        body = json.loads(text or "null")
    except ValueError:
        return
    for name in _names(body, ""):
        yield operation, "request", name


def _names(value: Any, prefix: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in value.items():
            full = f"{prefix}.{name}" if prefix else name
            if below not in (None, [], {}):
                yield full
                yield from _names(below, full)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item, f"{prefix}[]")
