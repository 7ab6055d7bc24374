"""What is secret in a request, an answer or a log, and what people see instead of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from conductor_mock.wire.wrapped import DEPTH, hide_json_values, hide_wrapped

MASK = "***"

_WORDS = "token|secret|passw(?:or)?d|credential|api[-_]?key|signature|private"
"""What is in the name of something secret, whether it is a field, a parameter, a header or a variable."""

_AROUND = 80
"""Characters of a name before and behind such a word."""

_USUAL, _KEPT = 200, 512
"""Headers and paths of up to so many characters are looked at once, and so many are remembered."""

_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_SECRET_HEADER = re.compile(rf"{_WORDS}|authorization|cookie", re.IGNORECASE)
_JSON_NAME = rf'[^"\\]{{0,{_AROUND}}}(?:{_WORDS})[^"\\]{{0,{_AROUND}}}'
_SECRETS = (
    re.compile(rf"((?:{_WORDS})[\w.-]{{0,{_AROUND}}}=)[^&\s\"'<>\\]*", re.IGNORECASE),
    re.compile(r"(bearer(?:\s|\+|\\+[nrt])+)[^\s\"',;}\\]{8,}", re.IGNORECASE),
    re.compile(
        r"((?:(?<![\w-])|(?<=\\[nrt]))"
        r"(?:proxy-authorization|authorization|(?:set-)?cookie|[\w-]*api-?key|x-[\w-]*(?:token|signature))"
        r"[\"']?: ?[\"']?)(?!\s*[\"']?\*\*\*)[^\"'\r\n]+",
        re.IGNORECASE,
    ),
    re.compile(r"(://[^\s/@:\"']*:)[^\s/@\"']+(?=@)"),
    re.compile(rf"((?<![\w-])--[\w-]*(?:{_WORDS})[ =])(?!-)[^\s\"',]+", re.IGNORECASE),
    re.compile(r"()-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", re.DOTALL),
    re.compile(r"()\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
)
_NAMED = re.compile(rf"{_WORDS}|bearer|-----BEGIN|eyJ|authorization|cookie|://[^\s/@]*:", re.IGNORECASE)
"""Without any of these a text has no secret that can be read as it is: most have none, and need no closer look."""
_PARTS_OF_NAMED = (
    "token", "secret", "passw", "credential", "key", "signature", "private",
    "bearer", "-----begin", "eyj", "authorization", "cookie", "://",
)  # fmt: skip
"""A part of each alternative of `_NAMED`, in lower case: to look for these in ASCII is a fraction of the search."""


def mask_text(text: str) -> str:
    """`text` with what is secret replaced by `***`: the values of JSON fields and query parameters, tokens, keys.

    However it is wrapped: in JSON in JSON, percent-encoded in a URL, as base64.
    """
    return _masked(text, DEPTH)


def _masked(text: str, depth: int) -> str:
    if _may_name_one(text) and _NAMED.search(text):
        text = hide_json_values(text, _JSON_NAME, MASK)
        for pattern in _SECRETS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
    return hide_wrapped(text, lambda inner: _masked(inner, depth - 1) != inner, MASK) if depth else text


def _may_name_one(text: str) -> bool:
    """Whether `_NAMED` may be found in a text. Beyond ASCII a letter has more forms than two: it always may."""
    if not text.isascii():
        return True
    lower = text.lower()
    return any(part in lower for part in _PARTS_OF_NAMED)


def mask_path(path: str) -> str:
    """`mask_text` of the path of a request: most are asked for again."""
    return _mask_usual(path) if len(path) <= _USUAL else mask_text(path)


def mask_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers for people to see."""
    return {name: _mask_header(name, value) for name, value in headers}


def _mask_header(name: str, value: str) -> str:
    if _is_secret_header(name) if len(name) <= _USUAL else _SECRET_HEADER.search(name):
        return MASK
    return _mask_usual(value) if len(value) <= _USUAL else mask_text(value)


@lru_cache(_KEPT)
def _is_secret_header(name: str) -> bool:
    """Whether the value of a header of this name is secret."""
    return _SECRET_HEADER.search(name) is not None


@lru_cache(_KEPT)
def _mask_usual(value: str) -> str:
    """`mask_text` of a path, or a header that is no secret by its name: a client sends the same ones again."""
    return mask_text(value)


def mask_variable(name: str, value: str) -> str:
    """The value of an environment variable, or of an entry of the metadata, as people may see it."""
    return MASK if _SECRET_NAME.search(name) else value


def mask_query(query: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Query parameters for people to see."""
    return {
        mask_text(name): [MASK] if _SECRET_NAME.search(name) else [mask_text(value) for value in values]
        for name, values in query.items()
    }
