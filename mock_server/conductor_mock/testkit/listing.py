"""Lists for people: what a client asks again and again takes one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby


def folded(lines: Iterable[str]) -> Iterator[str]:
    """The lines in their order, those that are the same one after another as one with their number."""
    for line, same in groupby(lines):
        number = sum(1 for _ in same)
        yield line if number == 1 else f"{line} ({number} times)"
