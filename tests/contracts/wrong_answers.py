"""Every way in which an answer can be wrong in one place, made from right answers.

A place is a JSON pointer, with `[]` for the items of a list and `{}` for a field that is named after a file. Of a list
the last item that has the place is changed, as by a server that is wrong now and then.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

from conductor_contracts.contract import load
from contracts.services import Answer

ANY_FILE = "{}"
NO_HEADER, PAGE = "header missing", "labelled as a page"
Value = Any
"""Decoded JSON."""


class _Absent:
    """No value: in place of a new one, the field or item goes; as an answer of a change, it makes no sense here."""

    def __repr__(self) -> str:
        return "nothing"


MD5 = re.compile(r"[A-Za-z0-9+/]{22}==")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
EPOCH = re.compile(r"\d{10,16}(\.\d+)?")
GONE, SAME = _Absent(), _Absent()


@dataclass(frozen=True)
class WrongAnswer:
    """One change of one place; `instead` are values that were seen there, for a change to another value."""

    kind: str
    place: str
    instead: tuple[str, ...] = ()
    """As JSON."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.place or 'the body'}"

    def of(self, answer: Answer) -> Answer:
        """The changed answer; the same one where there is no such place, or nothing to change."""
        if self.kind == NO_HEADER:
            return answer.with_header(self.place, None)
        if self.kind == PAGE:
            return answer.with_header("Content-Type", "text/html") if answer.is_json else answer
        if not answer.is_json:
            return answer
        body = _put(answer.body, self.place.split("/")[1:], self._changed)
        return answer if body in (SAME, GONE) else answer.with_body(body)

    def _changed(self, value: Value) -> Value:
        if self.kind != VALUE:
            return CHANGES[self.kind](value)
        others = [other for other in map(json.loads, self.instead) if not _same(other, value)]
        return next(iter(others), _another(value))


def _wrapped(value: Value) -> Value:
    return [value]


def _another_type(value: Value) -> Value:
    if isinstance(value, bool) or value is None:
        return "true"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return 7
    return [] if isinstance(value, dict) else {}


def _of_list(change: Callable[[list[Value]], Value]) -> Callable[[Value], Value]:
    def changed(value: Value) -> Value:
        new = change(value) if isinstance(value, list) and value else SAME
        return SAME if _same(new, value) else new

    return changed


def _as_hex(value: Value) -> Value:
    """A base64 md5 in hex, as md5 sums are usually written (trap 5)."""
    if not isinstance(value, str) or not MD5.fullmatch(value):
        return SAME
    return base64.b64decode(value).hex()


def _another_form_of_time(value: Value) -> Value:
    """The same moment otherwise: ISO 8601 for seconds or microseconds of an epoch, and seconds for ISO 8601."""
    if isinstance(value, str) and TIME.match(value):
        moment = datetime.fromisoformat(value.replace("Z", "+00:00")[:26].rstrip(".+:"))
        return str(int(moment.replace(tzinfo=timezone.utc).timestamp()))
    number = float(value) if isinstance(value, str) and EPOCH.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return SAME
    seconds = next((number / unit for unit in (1, 1000, 1_000_000) if 1e9 < number / unit < 4e9), None)
    return SAME if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat()


VALUE = "another value"
LISTS: dict[str, Callable[[Value], Value]] = {
    "an item twice": _of_list(lambda items: [*items, items[-1]]),
    "an item fewer": _of_list(lambda items: items[:-1]),
    "no items": _of_list(lambda items: []),
    "in reverse order": _of_list(lambda items: items[::-1]),
}
CHANGES: dict[str, Callable[[Value], Value]] = {
    "null": lambda value: SAME if value is None else None,
    "missing": lambda value: GONE,
    "another type": _another_type,
    "in a list": _wrapped,
    "in an object": lambda value: {"data": value},
    "without what it is wrapped in": lambda value: (
        next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else SAME
    ),
    "hex md5": _as_hex,
    "another form of time": _another_form_of_time,
    **LISTS,
}


def wrong_answers(answers: Iterable[Answer], operation: str, *, refusals: bool) -> list[WrongAnswer]:
    """Every change of what the contract names that is one to at least one of these answers, or refusals."""
    answers = list(answers)
    fields, headers = _named(operation, refusals)
    seen: dict[str, dict[str, None]] = {}
    for answer in answers:
        if answer.is_json:
            for place, value in _places(answer.body):
                if _field(place) in fields:
                    seen.setdefault(place, {})[json.dumps(value)] = None
    wrong = [WrongAnswer(NO_HEADER, name) for name in sorted({"Content-Type", *headers})]
    wrong.append(WrongAnswer(PAGE, "Content-Type"))
    for place, values in seen.items():
        wrong += [WrongAnswer(kind, place) for kind in CHANGES]
        leaf = all(not isinstance(json.loads(value), (dict, list)) for value in values)
        wrong += [WrongAnswer(VALUE, place, tuple(values))] if leaf else []
    return [one for one in wrong if any(one.of(answer) != answer for answer in answers)]


@cache
def _named(operation: str, refused: bool) -> tuple[frozenset[str], frozenset[str]]:
    """The fields and the headers of answers or of refusals that the contract names, with what the fields lie in."""
    rows = [row for row in load().fidelity() if row.operation == operation]
    answered = {row.name for row in rows if row.part == "response"}
    fields = {"status", "message", "errors[].path", "errors[].message"} if refused else answered
    around = {field[: found.start()] for field in fields for found in re.finditer(r"\.|\[\]|$", field)}
    around |= {field[: found.end()] for field in fields for found in re.finditer(r"\[\]", field)}
    headers = {
        name
        for status, name in (row.name.split() for row in rows if row.part == "response header")
        if (int(status) >= 400) == refused
    }
    return frozenset(around), frozenset(headers)


def _field(place: str) -> str:
    """A place in the way in which the contract names fields; a file's is that of what holds it."""
    return place.removesuffix(f"/{ANY_FILE}")[1:].replace("/[]", "[]").replace("/", ".")


def _places(value: Value, place: str = "") -> Iterator[tuple[str, Value]]:
    yield place, value
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _places(below, f"{place}/{ANY_FILE if '/' in name else name}")
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, f"{place}/[]")


def _put(value: Value, steps: list[str], change: Callable[[Value], Value]) -> Value:
    """A copy of a body with the value at a place changed; SAME where there is nothing to change."""
    if not steps:
        return change(value)
    first, *rest = steps
    if first == "[]" and isinstance(value, list):
        for number in reversed(range(len(value))):
            new = _put(value[number], rest, change)
            if new is not SAME:
                return [*value[:number], *([] if new is GONE else [new]), *value[number + 1 :]]
    named = value if isinstance(value, dict) else {}
    name = next((one for one in named if one == first or (first == ANY_FILE and "/" in one)), None)
    if name is not None:
        new = _put(value[name], rest, change)
        if new is not SAME:
            kept = {other: one for other, one in value.items() if other != name}
            return kept if new is GONE else {**kept, name: new}
    return SAME


def _another(value: Value) -> Value:
    """A value of the same kind that might as well stand there."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if not isinstance(value, str):
        return SAME
    if value.isdecimal():
        return str(int(value) + 1).zfill(len(value))
    if MD5.fullmatch(value):
        return base64.b64encode(hashlib.md5(value.encode()).digest()).decode()
    if re.fullmatch(r"[0-9a-f]{32}", value):
        return hashlib.md5(value.encode()).hexdigest()
    return f"{value}x"


def _same(one: Value, other: Value) -> bool:
    return one is other or (type(one) is type(other) and one == other)
