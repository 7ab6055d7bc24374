"""The filter of the record lists: jobs, tasks and projects (wire reference 2.2, 2.9 and 2.22).

Terms are separated by commas and all must hold: `field_op_value`, as in `jid_gt_00011,jid_lt_00013` or
`account_id_eq_7`. Field names may hold underscores, so a term is read from its first operator. Clients send
`eq`, `gt` and `lt`, and both bounds are exclusive.

`metadata.NAME` is what a job's metadata says under NAME, as in `metadata.shot_eq_sq010` (inferred: the service finds
jobs by their metadata, and no client shows how it is asked to). NAME ends where the first operator begins, and holds no
comma.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conductor_mock.catalog.filters import FilterError

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "lt": operator.lt,
}

METADATA = "metadata."

_TERM = re.compile(r"(?P<field>metadata\.[^,]+?|\w+?)_(?P<operator>eq|gt|lt)_(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class RecordTerm:
    """One condition on a field of a record."""

    field: str
    operator: str
    value: str

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether the record has the field, not null, and the comparison holds.

        Two values of digits alone are compared as whole numbers, so `12` is `00012`; anything else is compared
        as text, which orders ISO dates rightly.
        """
        found = _value(record, self.field)
        if found is None:
            return False
        return OPERATORS[self.operator](*_comparable(str(found), self.value))

    def __str__(self) -> str:
        return f"{self.field}_{self.operator}_{self.value}"


@dataclass(frozen=True)
class RecordFilter:
    """A whole filter: its terms, all of which must hold. Without terms it matches everything."""

    terms: tuple[RecordTerm, ...] = ()

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether every term holds. Fields that are implied but not served (the account) must be put in first."""
        return all(term.matches(record) for term in self.terms)

    def __str__(self) -> str:
        return ",".join(str(term) for term in self.terms)


def parse(text: str, aliases: Mapping[str, str] | None = None) -> RecordFilter:
    """Read a filter, skipping empty terms; `aliases` renames fields, as `jobLabel` to `jid` for tasks.

    Raises FilterError naming the first term that cannot be understood.
    """
    names = aliases or {}
    return RecordFilter(tuple(_term(part.strip(), names) for part in text.split(",") if part.strip()))


def _term(text: str, aliases: Mapping[str, str]) -> RecordTerm:
    match = _TERM.fullmatch(text)
    if match is None:
        accepted = ", ".join(OPERATORS)
        raise FilterError(f"{text!r} is not a filter term; write field_op_value with one of {accepted}")
    field = aliases.get(match["field"], match["field"])
    return RecordTerm(field, match["operator"], match["value"])


def _value(record: Mapping[str, Any], field: str) -> Any:
    if not field.startswith(METADATA):
        return record.get(field)
    metadata = record.get("metadata")
    return metadata.get(field.removeprefix(METADATA)) if isinstance(metadata, Mapping) else None


def _comparable(have: str, want: str) -> tuple[Any, Any]:
    if _is_digits(have) and _is_digits(want):
        return _whole(have), _whole(want)
    return have, want


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _whole(digits: str) -> tuple[int, str]:
    """A key that orders digits as numbers; int() would refuse the very long ones that a request may bring."""
    significant = digits.lstrip("0")
    return len(significant), significant
