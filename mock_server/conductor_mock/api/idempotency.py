"""Idempotency-Key: the same submission sent twice makes one job (own extension; the real service ignores the header).

The fake says on every answer that it honours keys, so that a client knows whether it may repeat a request whose answer
was lost. With `honour_keys` off it ignores them and says nothing, as the real service does.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from conductor_mock.context import service
from conductor_mock.errors import wrong_value

HEADER = "Idempotency-Key"
ANNOUNCEMENT = "X-Conductor-Mock-Idempotency"
"""Its value is the name of the header that is honoured."""

LONGEST = 255


def idempotency_key() -> str | None:
    """The key that the request carries, if it does and keys are honoured.

    Refuses (400) one that is empty, longer than 255 characters or not of printable ASCII.
    """
    key = request.headers.get(HEADER)
    if key is None or not service().settings.honour_keys:
        return None
    if not key or len(key) > LONGEST or not (key.isascii() and key.isprintable()):
        raise wrong_value(HEADER, f"must be 1 to {LONGEST} printable ASCII characters, got {key[:40]!r}")
    return key


def announcement(*, honoured: bool) -> Mapping[str, str]:
    """The headers by which every answer says that keys are honoured, if they are."""
    return {ANNOUNCEMENT: HEADER} if honoured else {}
