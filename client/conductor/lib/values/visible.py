"""Text of others in a terminal or a log: shown, and never obeyed."""

from __future__ import annotations

import re

# Control characters, the separators that some programs take for line ends, and what turns the direction of writing.
# A line that begins with two spaces is a further one of a list of ours, and cannot be taken for a record or message.
_OBEYED = re.compile(r"\n(?!  )|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return the text with everything that a terminal or a reader of lines would obey written as ``\\x1b``.

    Tabs stay, and so do line ends before two spaces.
    """
    return _OBEYED.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)
