"""Secrets inside of other texts: JSON in JSON, what is percent-encoded, base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote_plus

DEPTH = 4
"""How many wrappings inside one another are looked into."""

_AIR = r"(?:\s|\\+[nrt])*"
_OTHER_VALUES = tuple("[{-0123456789")
_TOKEN = re.compile(r"(\\*)([\"'\[\]{},\s])")
_ESCAPED = re.compile(r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def hide_json_values(text: str, names: str, hidden: str) -> str:
    """Return the text with the values of JSON fields hidden, also where the JSON is a text in JSON, however deep.

    ``names`` is a regular expression for the names of the fields. A value may be a list or an object, and the quotes
    those that Python shows a dictionary with. One that is cut off is hidden to the end.
    """
    field = re.compile(rf"(?<!\\)(\\*)([\"'])(?:{names})\1\2{_AIR}:{_AIR}(?:b(?=[\"']))?", re.IGNORECASE)
    parts, at = [], 0
    while match := field.search(text, at):
        slashes, quote = match.groups()
        begin = match.end()
        inside = text[begin : begin + len(slashes) + 1]
        if inside[:-1] == slashes and inside[-1:] in ("'", '"'):
            parts += [text[at:begin], inside, hidden]
        elif text[begin : begin + 1] in _OTHER_VALUES:
            parts += [text[at:begin], slashes, quote, hidden, slashes, quote]
        else:  # nothing, or prose, in which the next field may begin at once
            parts.append(text[at:begin])
            at = begin
            continue
        at = _end_of_value(text, begin, slashes)
    return "".join([*parts, text[at:]])


def _end_of_value(text: str, begin: int, slashes: str) -> int:
    """Return where a value ends that begins at a place: before the quote that ends it, or behind its brackets."""
    depth, at = 0, begin
    while token := _TOKEN.search(text, at):
        what, at = token[2], token.end()
        if what in "\"'":
            if len(token[1]) < len(slashes):
                return token.start()  # the text around it ends
            end = _end(text, at, len(slashes), what)
            if not depth:
                return end
            at = end + len(slashes) + 1
        elif what in "[{":
            depth += 1
        elif what in "]}" and depth > 1:
            depth -= 1
        elif what in "]}" and depth:
            return at
        elif not depth:  # a number or a word has ended
            return token.start()
    return len(text)


def _end(text: str, at: int, slashes: int, quote: str) -> int:
    """Return where a text ends whose quotes have this many backslashes before them."""
    for found in re.compile(rf"(\\*){quote}").finditer(text, at):
        more = len(found[1]) - slashes
        if more < 0:
            return found.start()  # the text around it ends
        # Each backslash of the value itself is doubled as often as the quotes were.
        if more % (2 * (slashes + 1)) == 0:
            return found.end() - slashes - 1
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
