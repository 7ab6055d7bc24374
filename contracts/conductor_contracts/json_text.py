"""JSON from a source that nobody vouches for: bytes, text and value are steps, and each error says which one failed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import chain, compress
from typing import Any

MAX_DEPTH = 64
"""Levels of nesting; no known client sends more than six."""


_HALF = re.compile(r"\\u[dD]")
"""What half of a character is written as, unless it is only a backslash that stands before such a text."""


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
    if not text or text.isspace():
        raise JsonTextError("is empty, JSON was expected")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except ValueError as error:
        raise JsonTextError(f"is not JSON: {error}") from None
    if text.count("[") + text.count("{") > max_depth and _is_deeper_than(value, max_depth):
        raise _too_deep(max_depth)
    if "\\u" in text and _HALF.search(text) and _has_lone_surrogate(value):
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


_CONTAINERS = frozenset({dict, list})
"""What a parser makes of objects and lists: these very classes."""


def _is_deeper_than(value: Any, limit: int) -> bool:
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(limit):
        dicts = [one for one in level if type(one) is dict]
        lists = [one for one in level if type(one) is list]
        # No step of Python for each value: a large job has more than a million.
        are_deeper = map(_CONTAINERS.__contains__, map(type, _values_in(dicts, lists)))
        level = list(compress(_values_in(dicts, lists), are_deeper))
    return bool(level)


def _values_in(dicts: list[dict[str, Any]], lists: list[list[Any]]) -> Iterator[Any]:
    return chain(chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(lists))


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
