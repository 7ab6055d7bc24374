"""Which types JSON has, and which values are JSON that every part of the service can hold.

Python's parser takes more than JSON: lone surrogates, NaN and infinities, and nesting that later
recursion would not survive. They are refused before any schema is looked at, so that nothing behind
this point has to expect them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from conductor_contracts.problems import Problem, pointer

MAX_DEPTH = 100
"""Levels of lists and objects in a body or an answer: what a request may have (`json_text.MAX_DEPTH`), and what is
around it where it is shown again."""


TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


def types_of(value: Any) -> tuple[str, ...]:
    """The JSON types that a decoded value has, as JSON Schema names them: 5.0 is a whole number, true is none."""
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("boolean",)
    if isinstance(value, int):
        return ("integer", "number")
    if isinstance(value, float):
        return ("integer", "number") if value.is_integer() else ("number",)
    if isinstance(value, str):
        return ("string",)
    return ("object",) if isinstance(value, dict) else ("array",)


def first_impossible_value(body: Any) -> Problem | None:
    """Find one value that JSON in UTF-8 cannot hold, or nesting beyond MAX_DEPTH.

    Takes about 0.1 s for a million values, and never recurses.
    """
    if _is_plain(body):
        return None
    return _search(body)


def _is_plain(body: Any) -> bool:
    """Look through a body level by level; False means only that a closer look is needed."""
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH + 1):
        names: set[Any] = set()
        texts: list[str] = []
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is str:
                if not value.isascii():
                    texts.append(value)
            elif kind is dict:
                names.update(value)
                below.extend(value.values())
            elif kind is list:
                below.extend(value)
            elif kind is float:
                if not math.isfinite(value):
                    return False
            elif kind is not int and kind is not bool and value is not None:
                return False
        if not (_encodes(texts) and _encodes(names)):
            return False
        if not below:
            return True
        level = below
    return False


def _encodes(texts: Iterable[Any]) -> bool:
    try:
        for text in texts:
            text.encode()
    except (UnicodeEncodeError, AttributeError):
        return False
    return True


def _search(body: Any) -> Problem | None:
    waiting: list[tuple[str, int, Any]] = [("", 0, body)]
    while waiting:
        path, depth, value = waiting.pop()
        message = _fault(value, depth)
        if message:
            return Problem(path, message)
        if isinstance(value, dict):
            for name in value:
                if not isinstance(name, str):
                    return Problem(path, f"has a field name that is not text but a {type(name).__name__}")
                if not _encodes([name]):
                    return Problem(pointer(path, name), "has a name with half a surrogate pair in it")
            steps: Iterable[tuple[str | int, Any]] = value.items()
        elif isinstance(value, (list, tuple)):
            steps = enumerate(value)
        else:
            continue
        # Pointers stop growing at a few steps: deep ones help nobody and would cost time squared.
        waiting.extend((pointer(path, step) if depth < 8 else path, depth + 1, item) for step, item in steps)
    return None


def _fault(value: Any, depth: int) -> str | None:
    if depth > MAX_DEPTH:
        return f"is nested more than {MAX_DEPTH} levels deep"
    if isinstance(value, str):
        return None if _encodes([value]) else "must be Unicode text, but half a surrogate pair is in it"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a number that JSON knows, got {value}"
    if value is None or isinstance(value, (bool, int, float, dict, list, tuple)):
        return None
    return f"must be a JSON value, got a Python {type(value).__name__}"
