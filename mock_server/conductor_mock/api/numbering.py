"""Which jobs or tasks a filter can mean at all, by its terms on their numbers: the others need not be looked at."""

from __future__ import annotations

from collections.abc import Collection

from conductor_mock.api.record_filters import RecordFilter

_DIGITS = 15
"""No account has as many jobs, and no job as many tasks, as a number of so many digits."""


def numbers(filter_: RecordFilter, names: Collection[str], first: int, end: int) -> range:
    """The numbers from `first` to before `end` that meet every term on the fields `names`, which hold padded numbers.

    A term whose value is no number narrows nothing; it is for the filter itself to compare.
    """
    for term in filter_.terms:
        if term.field not in names or not (term.value.isascii() and term.value.isdigit()):
            continue
        digits = term.value.lstrip("0")
        value = int(digits or "0") if len(digits) <= _DIGITS else 10**_DIGITS
        if term.operator in ("eq", "gt"):
            first = max(first, value + (term.operator == "gt"))
        if term.operator in ("eq", "lt"):
            end = min(end, value + (term.operator == "eq"))
    return range(first, end)
