"""Secrets inside of other texts: JSON in JSON, what is percent-encoded, base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote_plus

DEPTH = 4
"""How many wrappings inside one another are looked into."""

_QUOTE = re.compile(r'(\\*)"')
_ESCAPED = re.compile(r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def hide_json_values(text: str, names: str, hidden: str) -> str:
    """Return the text with the values of JSON fields hidden, also where the JSON is a text in JSON, however deep.

    ``names`` is a regular expression for the names of the fields. A value that is cut off is hidden to the end.
    """
    field = re.compile(rf'(?<!\\)(\\*)"(?:{names})\1"\s*:\s*\1"', re.IGNORECASE)
    parts, at = [], 0
    while match := field.search(text, at):
        end = _end(text, match.end(), len(match[1]))
        parts += [text[at : match.end()], hidden]
        at = end
    return "".join([*parts, text[at:]])


def _end(text: str, at: int, slashes: int) -> int:
    """Return where a JSON text ends whose quotes have this many backslashes before them."""
    for quote in _QUOTE.finditer(text, at):
        more = len(quote[1]) - slashes
        if more < 0:
            return quote.start()  # the text around it ends
        # Each backslash of the value itself is doubled as often as the quotes were.
        if more % (2 * (slashes + 1)) == 0:
            return quote.end() - slashes - 1
    return len(text)


def hide_wrapped(text: str, is_secret: Callable[[str], bool], hidden: str) -> str:
    """Return the text with every word hidden that holds a secret once it is decoded, by percents or as base64.

    ``is_secret`` says so of a text that was decoded, and may ask this again.
    """

    def escaped(match: re.Match[str]) -> str:
        decoded = unquote_plus(match.group())
        return hidden if decoded != match.group() and is_secret(decoded) else match.group()

    def packed(match: re.Match[str]) -> str:
        decoded = _unpacked(match.group())
        return hidden if decoded and is_secret(decoded) else match.group()

    if "%" in text:
        text = _ESCAPED.sub(escaped, text)
    return _BASE64.sub(packed, text)


def _unpacked(text: str) -> str:
    """Return what base64 of either alphabet holds, cut off or not; nothing for what is no text."""
    letters = text.rstrip("=").replace("-", "+").replace("_", "/")
    letters = letters[: len(letters) // 4 * 4] + (
        letters[len(letters) // 4 * 4 :] if len(letters) % 4 > 1 else ""
    )
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return ""
