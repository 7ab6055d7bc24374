"""Stubs for unit tests of a client, made of the contract: its examples as answers, and refusals of what breaks it.

    import responses
    from conductor_contracts.stubs import add_to

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        stubs = add_to(mock, "http://conductor.test")
        submit()
        assert stubs["jobs.create"].call_count == 1

Nothing is remembered from one request to the next: for that there is the fake. For other languages `wiremock_mappings`
says the same to WireMock, and `module_text` writes the stubs as a Python file that needs nothing but `responses`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from conductor_contracts.contract import Contract, load
from conductor_contracts.operation import FORM, JSON, Operation
from conductor_contracts.problems import no_such
from conductor_contracts.references import resolve

if TYPE_CHECKING:
    from requests import PreparedRequest
    from responses import BaseResponse, RequestsMock

_SERVED = "http://127.0.0.1:8089"
"""Where the URLs of the examples lead; those of stubs lead to the stubs."""
Answer = tuple[int, Any]
"""A status, and a body as JSON; None for no body."""


@dataclass(frozen=True)
class Stub:
    """One operation as a stub: what is asked for by ``method`` and a ``path`` pattern, and its good ``answer``."""

    operation: Operation
    path: str
    answer: Answer

    @property
    def url(self) -> str:
        """The operation's URL below a base URL, as a regular expression that takes any query."""
        return rf"{self.path}(\?.*)?$"


def stubs(
    base_url: str, *, only: Collection[str] | None = None, answers: Mapping[str, Answer] | None = None
) -> tuple[Stub, ...]:
    """A stub for each operation, or for those that ``only`` names.

    Each answers with the example of the contract, or with what ``answers`` says of its operation, such as
    ``(503, error("not now"))``.
    Raises ValueError for an unknown operation, and for an answer that the contract does not know.
    """
    contract, answers = load(), answers or {}
    names = list(contract.operations) if only is None else list(only)
    unknown = sorted({*names, *answers} - set(contract.operations))
    if unknown:
        raise ValueError(no_such("operation", unknown, contract.operations))
    made = []
    for name in names:
        operation = contract.operations[name]
        answer = answers.get(name, _example(contract, operation, base_url.rstrip("/")))
        problems = operation.check_response(*answer)
        if problems:
            raise ValueError(f"{name}: the answer {problems[0]}")
        paths = (operation.path, *operation.also_paths)
        made.append(Stub(operation, "|".join(map(_pattern, paths)), answer))
    return tuple(made)


def error(message: str, *places: str) -> dict[str, Any]:
    """The body of a refusal, in the shape that the service's fake has; ``places`` are JSON pointers."""
    errors = [{"path": place, "message": message} for place in places]
    return {"status": "error", "message": message, "errors": errors}


def add_to(
    mock: RequestsMock,
    base_url: str,
    *,
    only: Collection[str] | None = None,
    answers: Mapping[str, Answer] | None = None,
) -> dict[str, BaseResponse]:
    """Add the `stubs` to a mock of the responses library; the result counts the calls of each operation.

    A request without a token where one is needed is answered 401, one that breaks the contract 400, with each place.
    """
    from responses import CallbackResponse

    def response(stub: Stub) -> CallbackResponse:
        def answer(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
            status, body = _refusal(stub.operation, request) or stub.answer
            return status, {}, "" if body is None else json.dumps(body)

        url = re.compile(rf"{re.escape(base_url.rstrip('/'))}(?:{stub.path})(\?.*)?$")
        return CallbackResponse(stub.operation.method, url, callback=answer, content_type=JSON)

    made = {stub.operation.id: response(stub) for stub in stubs(base_url, only=only, answers=answers)}
    for one in made.values():
        mock.add(one)
    return dict(made)


def wiremock_mappings(base_url: str, *, only: Collection[str] | None = None) -> dict[str, Any]:
    """The `stubs` as WireMock takes them (``mappings`` of its ``/__admin/mappings/import``, or a file)."""
    return {"mappings": [one for stub in stubs(base_url, only=only) for one in _mappings(stub)]}


def module_text(base_url: str, *, only: Collection[str] | None = None) -> str:
    """The `stubs` as a Python module with a function ``add_to(mock)``, which needs nothing but responses."""
    rows = [
        (
            stub.operation.id,
            stub.operation.method,
            f"{re.escape(base_url.rstrip('/'))}(?:{stub.path})(\\?.*)?$",
            *stub.answer,
        )
        for stub in stubs(base_url, only=only)
    ]
    listed = "".join(f"    {row!r},\n" for row in rows)
    return _MODULE.format(rows=listed)


_MODULE = '''"""Stubs of the Conductor service for the responses library, made by `conductor-contracts stubs`."""

import re

STUBS = [
{rows}]
"""Operation, method, URL as a regular expression, status, and the JSON of the answer (None: no body)."""


def add_to(mock):
    """Add every stub to a mock of responses; the result counts the calls of each operation."""
    return {{
        operation: mock.add(method, re.compile(url), status=status, **({{"json": body}} if body is not None else {{}}))
        for operation, method, url, status, body in STUBS
    }}
'''


def _example(contract: Contract, operation: Operation, base_url: str) -> Answer:
    """The good answer of an operation: the example of the contract, with URLs that lead to the stubs."""
    spec = contract.document["paths"][operation.path][operation.method.lower()]
    for status, answer in spec["responses"].items():
        media = resolve(contract.document, answer).get("content", {}).get(JSON, {})
        if int(status) < 300 and "example" in media:
            return int(status), json.loads(json.dumps(media["example"]).replace(_SERVED, base_url))
    return operation.success_status, None


def _refusal(operation: Operation, request: PreparedRequest) -> Answer | None:
    """The refusal of a request that the contract forbids; None if it does not."""
    if operation.authentication == "required" and "Authorization" not in request.headers:
        return 401, error("no bearer token was sent")
    _, _, query = str(request.path_url).partition("?")
    problems = operation.check_query(dict(parse_qsl(query, keep_blank_values=True)))
    if not problems and operation.request_schema and not _is_form(request):
        try:
            problems = operation.check_request(json.loads(request.body or b"null"))
        except (ValueError, TypeError, RecursionError):  # TypeError: a stream, which only files are sent as
            return 400, error("the body is not JSON")
    if not problems:
        return None
    listed = [{"path": problem.path, "message": problem.message} for problem in problems]
    return 400, {**error(f"{operation.id}: {problems[0]}"), "errors": listed}


def _is_form(request: PreparedRequest) -> bool:
    return str(request.headers.get("Content-Type", "")).startswith(FORM)


def _mappings(stub: Stub) -> Iterator[dict[str, Any]]:
    """The good answer to what keeps the contract, 401 before it where a token is missing, 400 behind it."""
    operation = stub.operation
    route: dict[str, Any] = {"method": operation.method, "urlPathPattern": stub.path}
    status, body = stub.answer
    good, known = dict(route), operation.request_schema is not None and operation.form_schema is None
    if known:
        good["bodyPatterns"] = [
            {"matchesJsonSchema": operation.request_document(), "schemaVersion": "V202012"}
        ]
        yield _mapping(
            f"{operation.id}: a body that is none", route, 400, error("the body is not valid"), priority=9
        )
    if operation.authentication == "required":
        absent = {**route, "headers": {"Authorization": {"absent": True}}}
        yield _mapping(
            f"{operation.id}: without a token", absent, 401, error("no bearer token was sent"), priority=1
        )
    yield _mapping(operation.id, good, status, body, priority=5)


def _mapping(name: str, request: dict[str, Any], status: int, body: Any, *, priority: int) -> dict[str, Any]:
    response: dict[str, Any] = {"status": status}
    if body is not None:
        response |= {"jsonBody": body, "headers": {"Content-Type": JSON}}
    return {"name": name, "priority": priority, "request": request, "response": response}


def _pattern(template: str) -> str:
    return "[^/?]+".join(map(re.escape, re.split(r"\{\w+\}", template)))
