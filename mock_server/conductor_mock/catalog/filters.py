"""The filter of the instance-type list: `GET /api/v1/instance-types?filter=...` (wire reference 2.3).

Terms are separated by commas and all must hold: `field=op:value` or `field=op:value:type`, where dots reach
into nested objects, as in `cores=gte:8:int,operating_system=ne:windows,gpu.gpu_count=eq:1:int`. Clients send
the operators `eq`, `ne` and `gte` and the type `int`; `gt`, `lt`, `lte` and `float` are a natural extension,
graded inferred, and so is everything said below about missing fields.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
TYPES: Mapping[str, re.Pattern[str]] = {
    "int": re.compile(r"[+-]?[0-9]+"),
    "float": re.compile(r"[+-]?[0-9]+(\.[0-9]+)?"),
}
ALIASES: Mapping[str, str] = {"cpu": "cores"}
"""The vendor's own sample filters by `cpu`, which no record has; it can only mean the number of cores."""

_FIELD = re.compile(r"\w+(\.\w+)*")


class FilterError(ValueError):
    """A filter term cannot be understood; the message quotes it and says what is accepted."""


@dataclass(frozen=True)
class Term:
    """One condition. `type` is empty where the term gave none."""

    field: str
    operator: str
    value: str
    type: str = ""

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether the record has the field and the comparison holds.

        A missing or null field, or one that is itself an object or a list, fails every term, `ne` included.
        With a type both sides are numbers, and a field that is none fails. Without one, two values that both
        look like numbers are compared as numbers, others as text.
        """
        found = _reach(record, self.field)
        if found is None or isinstance(found, (Mapping, list)):
            return False
        have, want = _number(_text(found)), _number(self.value)
        compare = OPERATORS[self.operator]
        if have is not None and want is not None:
            return compare(have, want)
        return not self.type and compare(_text(found), self.value)

    def __str__(self) -> str:
        tail = f":{self.type}" if self.type else ""
        return f"{self.field}={self.operator}:{self.value}{tail}"


@dataclass(frozen=True)
class Filter:
    """A whole filter: its terms, all of which must hold. Without terms it matches everything."""

    terms: tuple[Term, ...] = ()

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether every term holds for the record."""
        return all(term.matches(record) for term in self.terms)

    def __str__(self) -> str:
        return ",".join(str(term) for term in self.terms)


def parse(text: str) -> Filter:
    """Read a filter. Empty terms are skipped: clients send an empty filter, and like trailing commas.

    Raises FilterError naming the first term that cannot be understood.
    """
    return Filter(tuple(_term(part.strip()) for part in text.split(",") if part.strip()))


def _term(text: str) -> Term:
    field, equals, condition = text.partition("=")
    name, *rest = condition.split(":")
    if not equals or not _FIELD.fullmatch(field) or len(rest) not in (1, 2):
        raise FilterError(f"{text!r} is not a filter term; write field=op:value or field=op:value:type")
    if name not in OPERATORS:
        raise FilterError(f"{text!r} has the unknown operator {name!r}; accepted are {', '.join(OPERATORS)}")
    value, kind = rest[0], rest[1] if len(rest) > 1 else ""
    if len(rest) > 1 and kind not in TYPES:
        raise FilterError(f"{text!r} has the unknown type {kind!r}; accepted are {', '.join(TYPES)}")
    if kind and not TYPES[kind].fullmatch(value):
        raise FilterError(f"{text!r} asks for the type {kind}, which {value!r} is not")
    return Term(field, name, value, kind)


def _reach(record: Mapping[str, Any], field: str) -> Any:
    value: Any = record
    for name in (field if field in record else ALIASES.get(field, field)).split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _text(value: object) -> str:
    """A JSON scalar as it would be written in a filter."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> Decimal | None:
    return Decimal(text) if TYPES["float"].fullmatch(text) else None
