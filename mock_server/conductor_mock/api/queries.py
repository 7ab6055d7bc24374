"""Query parameters as several operations read them; each refusal (400) names its parameter."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from flask import request

from conductor_mock.catalog.filters import FilterError
from conductor_mock.errors import Detail, bad_request

F = TypeVar("F")


def filtered_by(parse: Callable[[str], F]) -> F:
    """The query's `filter` as `parse` reads it."""
    try:
        return parse(request.args.get("filter", ""))
    except FilterError as error:
        raise bad_request(f"filter: {error}", Detail("filter", str(error))) from None


def count(name: str, default: int, most: int) -> int:
    """A parameter that is a count from 1; larger ones are cut to the most that is served at once."""
    text = request.args.get(name)
    if text is None or text == "":
        return default
    if not re.fullmatch(r"[1-9]\d{0,11}", text, re.ASCII):
        message = f"{name} must be a whole number from 1, got {text[:40]!r}"
        raise bad_request(message, Detail(name, "must be from 1"))
    return min(int(text), most)
