"""Reading a JSON body: bytes, text, JSON and contract are four steps, and each refusal says which one failed."""

from __future__ import annotations

from typing import Any, cast

from flask import g, request

from conductor_contracts import json_text
from conductor_contracts.json_text import JsonTextError
from conductor_contracts.problems import Problem
from conductor_mock.context import asked, service, warn
from conductor_mock.errors import bad_request, invalid, too_large, unsupported_coding
from conductor_mock.wire.md5 import canonical

Json = dict[str, Any]

STORED = frozenset({"objects.put", "objects.put_part"})
"""Operations whose body is stored byte by byte: a coding would be that of the file."""


def check_coding() -> None:
    """Refuse (415) a compressed body, and say what would be taken (RFC 9110 8.4, 12.5.3, 15.5.16)."""
    request = asked()
    has_body = request.content_length or "Transfer-Encoding" in request.headers
    if request.endpoint is None or request.endpoint in STORED or not has_body:
        return
    codings = request.headers.get("Content-Encoding", "")
    if any(coding.strip().lower() not in ("", "identity") for coding in codings.split(",")):
        raise unsupported_coding(codings)


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
    problems = operation.check_request(data, was_read=True)
    if problems:
        # A name that is not known is often the one of a field that is missing.
        raise invalid(f"{operation.id}: the request body is not valid", operation.wrong_in_body(data))
    for problem in operation.unknown_fields(data):
        notice(problem.path, problem.message)
    return cast(Json, data)


def notice(path: str, message: str) -> None:
    """A contract warning about one place of the request; under `--strict` it refuses the request."""
    problem = Problem(path, message)
    if service().settings.strict:
        raise invalid("strict", [problem])
    warn(str(problem))


def md5_at(place: str, text: str) -> str:
    """The md5 that a body has at `place`, in its one spelling. Refuses (400) what is none."""
    try:
        return canonical(text)
    except ValueError as error:
        raise bad_request(f"{place} is {error}", Problem(place, str(error))) from None


def parse_json(data: bytes) -> Any:
    """`data` as JSON. Refuses (400) what is not UTF-8, not JSON, nested too deeply, or beyond what JSON can carry."""
    try:
        return json_text.read(data)
    except JsonTextError as error:
        message = f"the body {error}"
        raise bad_request(message, Problem("", message)) from None
