"""A text as the shell reads it, with the place of every letter in the text as it is written.

Quotes that only group are gone, a line that goes on behind a backslash is one line, and in a `file:` URL percent signs
are decoded. Backslashes stay: whether they escape or separate depends on what stands behind them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_QUOTED_IN_URL = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_FILE_URL = re.compile(r"file:/", re.IGNORECASE)
_ENDS_URL = frozenset(" \t\r\n\"'`;|&<>(),")
_ENDS_WORD = frozenset(" \t\r\n;|&<>()`")


@dataclass(frozen=True, slots=True)
class Reading:
    """`seen[i]` is written at `starts[i]:ends[i]`; `word_end(i)` is where the word of the shell ends that it is in."""

    seen: str
    starts: list[int]
    ends: list[int]
    breaks: list[int]
    """Places in `seen` where a word of the shell ends, in their order."""


def read(text: str, *, is_command: bool) -> Reading:
    """How a text is read: a command by a shell, the value of a variable as it stands."""
    seen: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    breaks: list[int] = []
    quote, at, is_url = "", 0, False
    while at < len(text):
        letter, end = text[at], at + 1
        if is_command:
            if letter == quote or (not quote and letter in "\"'" and not _is_comment(text, at)):
                quote = "" if quote else letter
                at = end
                continue
            if letter == "\\" and quote != "'":
                if text.startswith("\n", end):
                    at = end + 1
                    continue
                if end < len(text):  # the letter behind it groups and separates nothing
                    seen += [letter, text[end]]
                    starts += [at, end]
                    ends += [end, end + 1]
                    at = end + 1
                    continue
            if not quote and letter in _ENDS_WORD:
                breaks.append(len(seen))
        if letter in "fF" and _FILE_URL.match(text, at):
            is_url = True
        elif letter in _ENDS_URL:
            is_url = False
        if is_url and letter == "%" and (match := _QUOTED_IN_URL.match(text, at)) is not None:
            end = match.end()
            for decoded in _decoded(match[0]):
                width = 3 * len(decoded.encode("utf-8"))
                seen.append(decoded)
                starts.append(at)
                ends.append(at + width)
                at += width
            if at == end:
                continue
        seen.append(letter)
        starts.append(at)
        ends.append(at + 1)
        at += 1
    return Reading("".join(seen), starts, ends, breaks)


def _decoded(quoted: str) -> str:
    """What percent signs stand for; nothing when that is no UTF-8."""
    try:
        return unquote_to_bytes(quoted).decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _is_comment(text: str, at: int) -> bool:
    """Whether a quote stands in a comment, where it opens nothing."""
    line = text.rfind("\n", 0, at) + 1
    head = text.rfind("#", line, at)
    return (
        head >= 0 and (head == line or text[head - 1] in " \t;") and not re.search("[\"']", text[line:head])
    )
