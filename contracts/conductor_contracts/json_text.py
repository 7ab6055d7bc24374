"""JSON from a source that nobody vouches for: bytes, text and value are steps, and each error says which one failed."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 64
"""Levels of nesting; no known client sends more than six."""


class JsonTextError(ValueError):
    """Bytes that are no JSON, or more than JSON can carry; the text says what is wrong."""


def read(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text. Raises JsonTextError for what is not UTF-8, not JSON, nested too deeply, no number of
    JSON (NaN, infinite) or half of a character.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonTextError(f"is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None
    if not text.strip():
        raise JsonTextError("is empty, JSON was expected")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except ValueError as error:
        raise JsonTextError(f"is not JSON: {error}") from None
    if text.count("[") + text.count("{") > max_depth and _is_deeper_than(value, max_depth):
        raise _too_deep(max_depth)
    if "\\ud" in text.lower() and _has_lone_surrogate(value):
        raise JsonTextError("holds half of a surrogate pair in a text, which is not a character")
    return value


def _too_deep(limit: int) -> JsonTextError:
    return JsonTextError(f"is nested deeper than {limit} levels")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _is_deeper_than(value: Any, limit: int) -> bool:
    containers = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        containers = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
    return bool(containers)


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
