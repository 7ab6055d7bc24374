"""Citations of the wire reference, which is `docs/wire-protocol.md`: where a text has one, and what it leads to.

"wire reference 2.6, 9.9 [ran] and 10.14" cites three places. A number is that of a section, or of a point in its list;
the traps are section 9, so 9.26 is trap 26. Tags in brackets say who vouches for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_GAP = r"[\s#]+"  # a citation may run over the end of a line, also of a comment
_NUMBER = r"\d+(?:\.\d+)*\b"
_ASIDES = r"(?:\s*(?:\[[^\]]*\]|\([^)]*\)))*"
_NEXT = rf"{_ASIDES}(?:,|{_GAP}and|{_GAP}to){_GAP}(?={_NUMBER})"
_CITATION = re.compile(rf"\b[Ww]ire{_GAP}reference{_GAP}(?P<numbers>{_NUMBER}(?:{_NEXT}{_NUMBER})*)")
_ITEM = re.compile(rf"(?P<number>{_NUMBER})(?:{_NEXT})?")


@dataclass(frozen=True, slots=True)
class Place:
    """A number in a text, from `start` to before `end`, and the anchor that it stands for."""

    start: int
    end: int
    anchor: str


def places(text: str) -> Iterator[Place]:
    """Every place of the wire reference that a text cites, in order."""
    for citation in _CITATION.finditer(text):
        for item in _ITEM.finditer(text, *citation.span("numbers")):
            number = item["number"]
            trap = number.removeprefix("9.")
            yield Place(*item.span("number"), number if trap == number else f"trap-{trap}")


def linked(text: str, page: str) -> str:
    """`text` as Markdown whose citations are links to `page`."""
    parts, done = [], 0
    for place in places(text):
        number = text[place.start : place.end]
        parts += [text[done : place.start], f"[{number}]({page}#{place.anchor})"]
        done = place.end
    return "".join([*parts, text[done:]])
