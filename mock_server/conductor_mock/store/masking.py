"""What is secret in a request or an answer, and what people see instead of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from conductor_mock.farm.logs import MASK

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_SECRET_FIELDS = frozenset(
    {"client_secret", "private_key", "access_token", "token", "id_token", "password", "signature"}
)
_SECRET_JSON = re.compile(
    r'("(?:' + "|".join(sorted(_SECRET_FIELDS)) + r')"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?$)', re.IGNORECASE
)
_SECRET_JSON_IN_TEXT = re.compile(
    r'(\\"(?:' + "|".join(sorted(_SECRET_FIELDS)) + r')\\"\s*:\s*)\\"(?:(?!\\").)*(?:\\"|$)',
    re.IGNORECASE | re.DOTALL,
)
"""The same in JSON that is a text in JSON, such as an API key in a job's environment."""
_SECRET_QUERY = re.compile(r"((?:" + "|".join(sorted(_SECRET_FIELDS)) + r")=)[^&\s\"'<>]*", re.IGNORECASE)


def mask_text(text: str) -> str:
    """`text` with the values of secret JSON fields and query parameters replaced by `***`."""
    folded = text.casefold()
    if not any(name in folded for name in _SECRET_FIELDS):  # as in most texts, which are long
        return text
    text = _SECRET_JSON_IN_TEXT.sub(rf'\1\\"{MASK}\\"', _SECRET_JSON.sub(rf'\1"{MASK}"', text))
    return _SECRET_QUERY.sub(rf"\1{MASK}", text)


def mask_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers for people to see."""
    return {name: MASK if name.lower() in _SECRET_HEADERS else value for name, value in headers}


def mask_query(query: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Query parameters for people to see."""
    return {name: [MASK] if name.lower() in _SECRET_FIELDS else values for name, values in query.items()}
