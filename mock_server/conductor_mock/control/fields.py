"""The JSON objects that control calls take: their fields, and refusals that name one."""

from __future__ import annotations

from typing import Any

from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.errors import Detail, Refusal, bad_request


def object_body(*, accepted: tuple[str, ...]) -> dict[str, Any]:
    """The body, a JSON object with no other fields than these. Refuses (400)."""
    body = parse_json(raw_body())
    if not isinstance(body, dict):
        raise bad_request(f"the body must be a JSON object with {', '.join(accepted)}")
    for name in body:
        if name not in accepted:
            raise wrong(name, f"is not known here; accepted are {', '.join(accepted)}")
    return body


def wrong(name: str, message: str) -> Refusal:
    """The refusal (400) of a field."""
    return bad_request(f"{name[:80]} {message}", Detail(f"/{name[:80]}", message))
