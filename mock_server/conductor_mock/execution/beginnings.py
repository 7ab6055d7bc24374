"""Where in a text an absolute path can begin."""

from __future__ import annotations

import re

from conductor_mock.execution.reading import Reading

_CONTINUES = re.compile(r"[\w.~$})\]*?%#+\-/\\]")
"""Before a slash or drive letter: the path began earlier, so it is relative, a URL, or begins with a variable."""
_OPTION = re.compile(r"(?:^|[\s\"'=,;(])--?[A-Za-z][\w.-]*\Z")
_LONGEST_OPTION = 80
_EXPANSION = re.compile(r"\$\{(?:\w+|[@*])(?::?[-=+?]|##?|%%?)\Z")
"""What a shell takes instead of a variable, or off its value: `${OUT:-/proj/render}`, `${SCENE#/proj/}`."""
_SCHEME = re.compile(r"(?:^|[^\w.+/-])([A-Za-z][A-Za-z0-9+.-]*)\Z")
_HOST = re.compile(r"localhost|127\.0\.0\.1|", re.IGNORECASE)


def begins(reading: Reading, text: str, start: int) -> bool:
    """Whether an absolute path can begin at `reading.seen[start:]`."""
    seen = reading.seen
    if not start or not _CONTINUES.match(seen, start - 1):
        return True
    if (
        reading.starts[start] and text[reading.starts[start] - 1].isspace()
    ):  # the reading has joined two lines
        return False
    if seen[start - 1] == "$" and reading.starts[start] > reading.ends[start - 1]:
        return True  # a quote stands between: `$'/proj/a.ma'` is a way to quote, not a variable
    before = seen[max(0, start - _LONGEST_OPTION) : start]
    return _OPTION.search(before) is not None or _EXPANSION.search(before) is not None


def url_at(seen: str, start: int) -> int | None:
    """Where the host of a URL ends whose two slashes are at `seen[start:]`; None when no URL is there.

    Only of a `file:` URL the host is looked at: an empty one, or this machine by name.
    """
    if not seen.startswith("://", start - 1) or not start or _scheme(seen, start - 1) is None:
        return None
    if not is_file_url(seen, start):
        return start + 2
    match = _HOST.match(seen, start + 2)
    return start + 2 if match is None else match.end()


def is_file_url(seen: str, start: int) -> bool:
    """Whether the URL whose slashes are at `seen[start:]` names a file."""
    return (_scheme(seen, start - 1) or "").lower() == "file"


def _scheme(seen: str, colon: int) -> str | None:
    match = _SCHEME.search(seen[max(0, colon - 32) : colon])
    return match[1] if match else None
