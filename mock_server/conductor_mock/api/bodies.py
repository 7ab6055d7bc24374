"""Reading a JSON body: bytes, text, JSON and contract are four steps, and each refusal says which one failed."""

from __future__ import annotations

import json
import math
from typing import Any, cast

from flask import g, request

from conductor_mock.context import service, warn
from conductor_mock.errors import Detail, Refusal, bad_request, invalid, too_large

Json = dict[str, Any]

MAX_DEPTH = 64
"""Levels of nesting; no known client sends more than six."""


def raw_body() -> bytes:
    """The body's bytes, at most the limit of the settings (413 beyond it). Read once, kept for the journal."""
    if "raw_body" not in g:
        limit = service().settings.max_json_bytes
        request.max_content_length = limit + 1  # a chunked body ends silently at it: one byte more shows that
        data = request.get_data(cache=False)
        if len(data) > limit:
            raise too_large(limit)
        g.raw_body = data
    return cast(bytes, g.raw_body)


def contract_body() -> Json:
    """The request's JSON object, valid by the contract of the operation that the request was routed to.

    Fields that the contract does not know are warnings, or errors when the server is strict.
    """
    current = service()
    operation = current.contract.operations[cast(str, request.endpoint)]
    if request.mimetype not in ("application/json", ""):
        warn(f"Content-Type is {request.mimetype!r}; clients of the service send application/json")
    data = parse_json(raw_body())
    problems = operation.check_request(data)
    if problems:
        raise invalid(f"{operation.id}: the request body is not valid", problems)
    for problem in operation.unknown_fields(data):
        notice(problem.path, problem.message)
    return cast(Json, data)


def notice(path: str, message: str) -> None:
    """A contract warning about one place of the request; under `--strict` it refuses the request."""
    problem = Detail(path, message)
    if service().settings.strict:
        raise invalid("strict", [problem])
    warn(str(problem))


def parse_json(data: bytes) -> Any:
    """`data` as JSON. Refuses (400) what is not UTF-8, not JSON, nested too deeply, or beyond what JSON can carry."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(f"the body is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _refused(
            f"the body is not JSON: {error}" if text.strip() else "the body is empty, JSON was expected"
        ) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper_than(value, MAX_DEPTH):
        raise _too_deep()
    if "\\ud" in text.lower() and _has_lone_surrogate(value):
        raise _refused("a text in the body holds half of a surrogate pair, which is not a character")
    return value


def _refused(message: str) -> Refusal:
    return bad_request(message, Detail("", message))


def _too_deep() -> Refusal:
    return _refused(f"the body is nested deeper than {MAX_DEPTH} levels")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _is_deeper_than(value: Any, limit: int) -> bool:
    containers = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        containers = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
    return bool(containers)


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
