"""Every control call is held to `control.yaml` before it is carried out: its query, and its body.

What the contract does not name is refused, with the name that was probably meant: a filter that is passed over in
silence shows everything, and a misspelt field changes nothing.
"""

from __future__ import annotations

from typing import Any, cast

from flask import g, request

from conductor_contracts.contract import load_control
from conductor_contracts.operation import Operation
from conductor_contracts.problems import Problem
from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.errors import invalid, parameters


def operation() -> Operation:
    """The operation of the control API that the request was routed to; its id is Flask's endpoint."""
    return load_control().operations[cast(str, request.endpoint)]


def validate() -> None:
    """Refuse (400) a call whose query or JSON body the contract does not take."""
    if request.method == "OPTIONS":
        return
    called = operation()
    query = request.args.to_dict(flat=False)
    twice = [Problem(f"/{name}", "is given twice") for name, values in query.items() if len(values) > 1]
    problems = called.unknown_parameters(query) or twice or called.check_query(request.args.to_dict())
    if problems:
        raise invalid(called.id, parameters(problems))
    if called.request_schema is not None:
        g.control_body = parse_json(raw_body())
        problems = called.check_request(g.control_body, was_read=True)
        if problems:
            raise invalid(called.id, problems)


def body() -> Any:
    """The request's JSON body, valid by the contract, as it was written."""
    return g.control_body


def plain_body() -> Any:
    """The same with whole numbers as such: to JSON Schema 3.0 is one, to Python it is not."""
    return _plain(g.control_body)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
