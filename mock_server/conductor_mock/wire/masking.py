"""What is secret in a request, an answer or a log, and what people see instead of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from conductor_mock.wire.wrapped import DEPTH, hide_json_values, hide_wrapped

MASK = "***"

_FIELDS = "client_secret|private_key|access_token|refresh_token|token|id_token|password|signature|api_?key"
_SECRET_FIELD = re.compile(_FIELDS, re.IGNORECASE)
_WORDS = "token|secret|passw(?:or)?d|credential|api[-_]?key"
_SECRET_HEADER = re.compile(rf"{_WORDS}|authorization|cookie|signature|private[-_]?key", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(rf"{_WORDS}|private", re.IGNORECASE)
_SECRETS = (
    re.compile(rf"((?:{_FIELDS})=)[^&\s\"'<>\\]*", re.IGNORECASE),
    re.compile(r"(bearer\s+)[^\s\"',;}\\]{8,}", re.IGNORECASE),
    re.compile(r"()-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", re.DOTALL),
    re.compile(r"()\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
)
_NAMED = re.compile(rf"{_FIELDS}|bearer|-----BEGIN|eyJ", re.IGNORECASE)
"""Without any of these a text has no secret that can be read as it is: most have none, and need no closer look."""


def mask_text(text: str) -> str:
    """`text` with what is secret replaced by `***`: the values of JSON fields and query parameters, tokens, keys.

    However it is wrapped: in JSON in JSON, percent-encoded in a URL, as base64.
    """
    return _masked(text, DEPTH)


def _masked(text: str, depth: int) -> str:
    if _NAMED.search(text):
        text = hide_json_values(text, _FIELDS, MASK)
        for pattern in _SECRETS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
    return hide_wrapped(text, lambda inner: _masked(inner, depth - 1) != inner, MASK) if depth else text


def mask_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers for people to see."""
    return {name: MASK if _SECRET_HEADER.search(name) else mask_text(value) for name, value in headers}


def mask_variable(name: str, value: str) -> str:
    """The value of an environment variable as logs may show it."""
    return MASK if _SECRET_VARIABLE.search(name) else value


def mask_query(query: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Query parameters for people to see."""
    return {
        mask_text(name): [MASK] if _SECRET_FIELD.fullmatch(name) else [mask_text(value) for value in values]
        for name, values in query.items()
    }
