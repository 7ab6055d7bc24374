"""URLs taken apart where they are plain, which nearly all are, without a parser of URLs."""

from __future__ import annotations

import re

PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3})"
"""Of a URL, as an expression: none that is out of range."""
_ORIGIN = re.compile(rf"https?://[A-Za-z0-9.-]+(?::{PORT})?(?=[/?#]|\Z)")


def plain_origin(url: str) -> str:
    """Return what a URL says of its scheme, host and port; nothing where it takes a parser to tell."""
    found = _ORIGIN.match(url)
    return found.group() if found else ""


def origin_and_target(url: str) -> tuple[str, str]:
    """Return scheme, host and port of a URL that was prepared, as it writes them, and what a request line asks for."""
    begin = url.find("/", url.find("//") + 2)
    if begin < 0:
        return url, "/"
    return url[:begin], url[begin:].partition("#")[0]
