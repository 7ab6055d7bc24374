"""Interactions as a Pact of version 4, for verifiers of that format in any language.

A Pact has single requests, each with one answer, and cannot ask the service for what a request needs. So what is
exported are interactions of one step that need neither a control API nor a name that only the service knows. What a
Pact cannot say of an answer, all headers among it, is left out: a verified Pact promises less than
``conductor-contracts verify`` does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from conductor_contracts.contract import Contract, load
from conductor_contracts.interactions import Interaction, Request
from conductor_contracts.operation import FORM, JSON, Operation
from conductor_contracts.templates import TemplateError, fill

WITH_TOKEN = "a valid token is sent"  # noqa: S105 - the name of a state
"""The state of requests that want the header ``Authorization``, which the verifier adds."""
WITHOUT_TOKEN = "no valid token is sent"  # noqa: S105
UNIQUE = "pact"
_EXAMPLES: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
_OPTIONAL = re.compile(r"\.[*]|\\?.\?")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Export:
    """A Pact as JSON, and the ids of interactions that are not in it, each with why."""

    document: dict[str, Any]
    left_out: Mapping[str, str]


def export(interactions: Iterable[Interaction], *, allow_writes: bool = False) -> Export:
    """The Pact of interactions; without ``allow_writes`` of those that leave nothing behind."""
    contract = load()
    made, left_out = [], {}
    for one in interactions:
        reason = _obstacle(one, allow_writes)
        if reason is None:
            try:
                made.append(_interaction(one, contract))
                continue
            except TemplateError:
                reason = "names what only the service knows"
        left_out[one.id] = reason
    document = {
        "consumer": {"name": "conductor-client"},
        "provider": {"name": "conductor"},
        "interactions": made,
        "metadata": {
            "pactSpecification": {"version": "4.0"},
            "conductorContract": {"version": contract.document["info"]["version"]},
        },
    }
    return Export(document, left_out)


def _obstacle(interaction: Interaction, allow_writes: bool) -> str | None:
    if not interaction.safe and not allow_writes:
        return "leaves something behind"
    if interaction.requires:
        return f"requires {interaction.requires}"
    if len(interaction.steps) != 1 or interaction.cleanup:
        return "has more than one step"
    if interaction.steps[0].request.token == "forged":  # noqa: S105
        return "sends a token of the service, changed"
    if interaction.steps[0].request.url:
        return "names what only the service knows"
    return None


def _interaction(interaction: Interaction, contract: Contract) -> dict[str, Any]:
    """Raises TemplateError for a blank that an export cannot fill."""
    step = interaction.steps[0]
    operation = contract.operations[step.operation] if step.operation else None
    values = {"unique": UNIQUE}
    values |= {f"{name}.content": str(fill(text, values)) for name, text in interaction.files.items()}
    never = operation is not None and operation.authentication == "never"
    with_token = step.request.token in (None, "valid") and not (step.request.token is None and never)
    status, *others = step.expect.status
    rules: dict[str, Any] = {}
    response: dict[str, Any] = {"status": status}
    if others:
        rules["status"] = {"matchers": [{"match": "statusCode", "status": [status, *others]}]}
    if step.expect.body is not None:
        below: dict[str, Any] = {}
        example = _example(fill(step.expect.body, values), "$", below)
        if example is not _UNSAID:
            response["body"] = {"content": example, "contentType": JSON, "encoded": False}
        if below:
            rules["body"] = below
    if rules:
        response["matchingRules"] = rules
    return {
        "type": "Synchronous/HTTP",
        "key": hashlib.sha256(interaction.id.encode()).hexdigest()[:16],
        "description": interaction.id,
        "pending": False,
        "providerStates": [{"name": WITH_TOKEN if with_token else WITHOUT_TOKEN}],
        "comments": {"text": [interaction.source]},
        "request": _request(step.request, operation, values),
        "response": response,
    }


def _request(request: Request, operation: Operation | None, values: Mapping[str, Any]) -> dict[str, Any]:
    path = request.path or (operation.path if operation else "/")
    headers = {"Accept": JSON, **fill(dict(request.headers), values)}
    if request.token == "malformed":  # noqa: S105
        headers["Authorization"] = "Bearer not-a-token"
    made: dict[str, Any] = {
        "method": request.method or (operation.method if operation else "GET"),
        "path": fill(path, values),
    }
    if request.query:
        query = fill(dict(request.query), values)
        made["query"] = {name: [str(text)] for name, text in query.items()}
    body = _body(request, values)
    if body is not None:
        made["body"] = body
        headers["Content-Type"] = body["contentType"]
    return {**made, "headers": {name: [str(text)] for name, text in headers.items()}}


def _body(request: Request, values: Mapping[str, Any]) -> dict[str, Any] | None:
    if request.body is not None:
        return {"content": fill(request.body, values), "contentType": JSON, "encoded": False}
    if request.form is not None:
        return _bytes(urlencode(fill(dict(request.form), values)).encode(), FORM)
    if request.content is not None:
        content = str(fill(f"${{{request.content}.content}}", values)).encode()
        return _bytes(content, "application/octet-stream")
    if request.text is not None:
        return _bytes(str(fill(request.text, values)).encode(), JSON)
    if request.hex is not None:
        return _bytes(bytes.fromhex(request.hex), JSON)
    if request.repeat is not None:
        return _bytes(str(request.repeat["text"]).encode() * int(request.repeat["times"]), JSON)
    return None


def _bytes(content: bytes, kind: str) -> dict[str, Any]:
    return {"content": base64.b64encode(content).decode(), "contentType": kind, "encoded": "base64"}


_UNSAID = object()
"""In place of an example for what a Pact cannot say."""


def _example(expected: Any, place: str, rules: dict[str, Any]) -> Any:
    """A value that fits, with the rules below its place that let others fit, too; _UNSAID where there is none."""
    if isinstance(expected, dict) and expected and all(name.startswith("$") for name in expected):
        return _matched(expected, place, rules)
    if isinstance(expected, dict):
        items = {name: _example(item, f"{place}{_step(name)}", rules) for name, item in expected.items()}
        return {name: item for name, item in items.items() if item is not _UNSAID}
    if isinstance(expected, list):
        found: dict[str, Any] = {}
        each = [_example(item, f"{place}[{number}]", found) for number, item in enumerate(expected)]
        if any(item is _UNSAID for item in each):
            return _UNSAID  # a list is compared with all its items
        rules.update(found)
        return each
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        rules[place] = _rule(match="number")  # 1 is 1.0 here, and not in a Pact
    return expected


def _matched(matcher: dict[str, Any], place: str, rules: dict[str, Any]) -> Any:
    if len(matcher) != 1:
        return _UNSAID
    ((kind, argument),) = matcher.items()
    if kind == "$type" and argument in _EXAMPLES:
        rules[place] = _rule(match="type" if argument == "string" else argument)
        return _EXAMPLES[argument]
    if kind == "$regex":
        example = _OPTIONAL.sub("", argument)
        if re.fullmatch(argument, example, re.DOTALL):
            rules[place] = _rule(match="regex", regex=f"^(?:{argument})$")
            return example
    if kind == "$contains":
        below: dict[str, Any] = {}
        example = _example(argument, "$", below)
        if example is not _UNSAID:
            variant = {"index": 0, "rules": below, "generators": {}}
            rules[place] = _rule(match="arrayContains", variants=[variant])
            return [example]
    return _UNSAID


def _rule(**matcher: Any) -> dict[str, Any]:
    return {"matchers": [matcher], "combine": "AND"}


def _step(name: str) -> str:
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{json.dumps(name)}]".replace('"', "'")
