"""Reading what the service answers, whose types are not always what they were seen to be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.wire.call import Sent
from conductor.lib.wire.limits import LARGEST
from conductor.lib.wire.urls import plain_origin


def object_of(sent: Sent) -> dict[str, Any]:
    """Return the body of an answer. Raises UnexpectedAnswerError if it is no JSON object."""
    body = sent.json()
    if not isinstance(body, dict):
        raise sent.unexpected("its body must be an object")
    return body


def records_of(sent: Sent) -> list[dict[str, Any]]:
    """Return the records in ``data``, none for null (wire reference 2.2). Raises UnexpectedAnswerError for others."""
    records = object_of(sent).get("data") or []
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise sent.unexpected("data must be a list of objects")
    return records


def text(record: Mapping[str, Any], *names: str) -> str:
    """Return the first of these fields that is neither missing nor null, as text; empty if none is."""
    for name in names:
        if record.get(name) is not None:
            return str(record[name])
    return ""


def number(value: object) -> float:
    """Return a number given as such or as text; 0 for what is none, or out of range."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return result if math.isfinite(result) and abs(result) <= LARGEST else 0.0


def signed_url(url: object) -> str:
    """Return a URL that the service signed. Raises ValueError for one that is not absolute."""
    if isinstance(url, str) and plain_origin(url):
        return url
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        _ = parts.port  # raises for a port that is no number
        if parts.scheme in ("http", "https") and parts.hostname:
            return str(url)
    except ValueError:
        pass
    raise ValueError("a signed URL is not absolute")  # and not shown: it may be a valid one to somebody


def job_id(value: object) -> str:
    """Return a job id as the service writes it: at least five digits (wire reference 0.6).

    Raises BadArgumentError for what holds anything but digits.
    """
    return _padded(value, 5, "job", "a job id such as 00012 or 12")


def task_id(value: object) -> str:
    """Return a task id as the service writes it: at least three digits (wire reference 0.6).

    Raises BadArgumentError for what holds anything but digits.
    """
    return _padded(value, 3, "task", "a task id such as 003 or 3")


def job_ids(values: Iterable[object]) -> list[str]:
    """Return job ids as the service writes them, each once, in the order given."""
    return list(dict.fromkeys(map(job_id, values)))


def task_ids(values: Iterable[object]) -> list[str]:
    """Return task ids as the service writes them, each once, in the order given."""
    return list(dict.fromkeys(map(task_id, values)))


def _padded(value: object, width: int, what: str, accepted: str) -> str:
    digits = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise BadArgumentError.listing([Problem(what, repr(value)[:80], accepted)])
    return f"{int(digits):0{width}}"
