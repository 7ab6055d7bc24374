"""The contract as Python values: operations, their rules, and the evidence for them.

``load()`` reads ``openapi.yaml``, which says everything; nothing about the service is said here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

from conductor_contracts.problems import Problem, show
from conductor_contracts.schemas import SchemaSet
from conductor_contracts.unknown import Shape, UnknownField, shape_of

_METHODS = ("get", "put", "post", "delete", "patch")
_ERROR = "Error"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation: ``place`` is path, query or header."""

    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]
    evidence: str
    source: str
    differs: str = ""


@dataclass(frozen=True)
class Operation:
    """One operation of the service, by the name it has everywhere: ``jobs.create``.

    ``path`` is a template such as ``/objects/{account_id}/{md5}``; ``also_paths`` are other spellings
    of it. ``retry`` is R, NR, direct or own (wire reference 0.5 and 2). ``response_schemas`` maps a status to
    the name of its schema, or to None where the body does not matter; ``media_types`` to the kinds of body that
    it may have besides JSON. ``form_schema`` is that of a form-encoded request body. ``differs`` says what is
    known to differ from the real service. ``success_status`` is the one
    that says that something was done; ``statuses`` are all that may be answered, in order. ``authentication`` says
    whether a bearer token is required, optional or never looked at.
    """

    id: str
    method: str
    path: str
    also_paths: tuple[str, ...]
    tag: str
    summary: str
    description: str
    evidence: str
    source: str
    retry: str
    clients: tuple[str, ...]
    traps: tuple[int, ...]
    authentication: str
    parameters: tuple[Parameter, ...]
    request_schema: str | None
    form_schema: str | None
    differs: str
    response_schemas: Mapping[int, str | None] = field(repr=False)
    media_types: Mapping[int, frozenset[str]] = field(repr=False)
    _schemas: SchemaSet = field(repr=False, compare=False)
    _shape: Shape = field(repr=False, compare=False)

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that the operation may answer, in order."""
        return tuple(sorted(self.response_schemas))

    @property
    def success_status(self) -> int:
        """The lowest documented status below 300."""
        return self.statuses[0]

    def check_request(self, body: Any) -> list[Problem]:
        """Say what is wrong with a decoded JSON request body; an empty list means nothing.

        Takes any value that a JSON parser returns and raises nothing. At most 20 problems are named.
        Operations without a JSON body find nothing wrong with any.
        """
        return self._schemas.check(self.request_schema, body) if self.request_schema else []

    def check_form(self, form: Mapping[str, str]) -> list[Problem]:
        """Say what is wrong with a form-encoded request body; unknown fields are ignored."""
        return self._schemas.check(self.form_schema, dict(form)) if self.form_schema else []

    def check_query(self, query: Mapping[str, str]) -> list[Problem]:
        """Say what is wrong with the parameters of a query string; unknown ones are ignored."""
        return self._schemas.check(_query_schema_name(self.id), dict(query))

    def check_response(self, status: int, body: Any, media_type: str = _JSON) -> list[Problem]:
        """Say where an answer departs from the contract. ``body`` is decoded JSON; None or empty for none.

        A body of another documented ``media_type``, such as a page, is not looked into; JSON must be labelled as JSON.
        """
        if status not in self.response_schemas:
            documented = ", ".join(map(str, self.statuses))
            return [Problem("", f"has status {status}, which {self.id} does not document ({documented})")]
        name = self.response_schemas[status]
        if media_type != _JSON and media_type in self.media_types[status]:
            return []
        if name is not None:
            return [*_wrong_label(media_type), *self._schemas.check(name, body)]
        if status == 204 and body not in (None, "", b""):
            return [Problem("", f"must be empty with status 204, got {show(body)}")]
        return []

    def unknown_fields(self, body: Any) -> list[UnknownField]:
        """Fields of a request body that the contract does not name, at most 20, each with a likely name."""
        return self._shape.unknown_in(body)

    def matches(self, path: str) -> bool:
        """Whether a path, without its query, is one of this operation."""
        return any(_pattern(template).fullmatch(path) for template in (self.path, *self.also_paths))


@dataclass(frozen=True)
class Evidence:
    """One row of the fidelity table.

    ``part`` is operation, path, query, header, request, response or response header; ``name`` is the
    field's name, dotted, with ``[]`` for the items of a list, empty for the operation itself. ``differs`` says
    what is known to differ from the real service, if anything.
    """

    operation: str
    part: str
    name: str
    grade: str
    source: str
    differs: str = ""


@dataclass(frozen=True)
class Contract:
    """The whole contract. ``document`` is ``openapi.yaml`` as plain data; treat it as read-only."""

    document: dict[str, Any] = field(repr=False)
    operations: Mapping[str, Operation]
    schemas: SchemaSet = field(repr=False, compare=False)

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a method and a path without query name exactly, or None. HEAD is GET, without the body."""
        wanted = "GET" if method.upper() == "HEAD" else method.upper()
        for operation in self.operations.values():
            if operation.method == wanted and operation.matches(path):
                return operation
        return None

    def closest_operation(self, method: str, path: str) -> Operation | None:
        """The operation that a request which matches none was probably meant for, or None.

        A path that is right with a wrong method wins; then the most alike path, missing or doubled
        slashes aside, with the same method first among equals.
        """
        exact = self.find(method, path) or next(
            (o for o in self.operations.values() if o.matches(path)), None
        )
        if exact:
            return exact
        ranked = [
            (_likeness(path[:200], template), operation.method == method.upper(), operation)
            for operation in self.operations.values()
            for template in (operation.path, *operation.also_paths)
        ]
        best = max(ranked, key=lambda row: row[:2])
        return best[2] if best[0] >= 0.7 else None

    def check_error(self, body: Any, media_type: str = _JSON) -> list[Problem]:
        """Say where the body of a refusal departs from the one error shape, whatever the route."""
        return [*_wrong_label(media_type), *self.schemas.check(_ERROR, body)]

    def fidelity(self) -> list[Evidence]:
        """Every operation, parameter and field with the grade and source of its evidence."""
        return [row for operation in self.operations.values() for row in _evidence(self.document, operation)]


@cache
def load() -> Contract:
    """Read the contract that ships with the package. Reads one file, once; takes well under 0.1 s."""
    text = files("conductor_contracts").joinpath("openapi.yaml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Contract:
    """Make a contract of the text of an OpenAPI document that keeps the layout rules of ``openapi.yaml``."""
    document: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    found = [
        (method, path, spec[method])
        for path, spec in document["paths"].items()
        for method in _METHODS
        if method in spec
    ]
    query_schemas = {_query_schema_name(spec["operationId"]): _query_schema(spec) for _, _, spec in found}
    schemas = SchemaSet({**document["components"]["schemas"], **query_schemas})
    operations = [_operation(document, schemas, method, path, spec) for method, path, spec in found]
    return Contract(document, MappingProxyType({one.id: one for one in operations}), schemas)


def _operation(
    document: dict[str, Any], schemas: SchemaSet, method: str, path: str, spec: dict[str, Any]
) -> Operation:
    request_schema = _body_schema(spec.get("requestBody", {}))
    responses = {int(status): _resolve(document, answer) for status, answer in spec["responses"].items()}
    return Operation(
        id=spec["operationId"],
        method=method.upper(),
        path=path,
        also_paths=tuple(spec.get("x-also-paths", ())),
        tag=spec["tags"][0],
        summary=spec["summary"],
        description=spec["description"],
        evidence=spec["x-evidence"],
        source=spec["x-source"],
        retry=spec["x-retry"],
        clients=tuple(spec["x-clients"]),
        traps=tuple(spec["x-traps"]),
        authentication=_authentication_rule(spec.get("security", document["security"])),
        parameters=tuple(
            Parameter(
                one["name"],
                one["in"],
                one["required"],
                one["schema"],
                one["x-evidence"],
                one["x-source"],
                one.get("x-differs", ""),
            )
            for one in spec.get("parameters", ())
        ),
        request_schema=request_schema,
        form_schema=_body_schema(spec.get("requestBody", {}), _FORM),
        differs=spec.get("x-differs", ""),
        response_schemas=MappingProxyType({code: _body_schema(one) for code, one in responses.items()}),
        media_types=MappingProxyType(
            {code: frozenset(one.get("content", {})) for code, one in responses.items()}
        ),
        _schemas=schemas,
        _shape=shape_of(schemas, request_schema) if request_schema else Shape(),
    )


def _wrong_label(media_type: str) -> list[Problem]:
    """What is wrong with the label of a JSON body."""
    if media_type == _JSON:
        return []
    return [Problem("", f"must be labelled {_JSON}, is labelled {media_type or 'nothing'}")]


def _authentication_rule(security: list[dict[str, Any]]) -> str:
    if not security:
        return "never"
    return "optional" if {} in security else "required"


def _body_schema(holder: dict[str, Any], media_type: str = _JSON) -> str | None:
    reference = holder.get("content", {}).get(media_type, {}).get("schema", {}).get("$ref")
    return None if reference is None else str(reference).rpartition("/")[2]


def _query_schema_name(operation: str) -> str:
    return f"{operation} query"


def _query_schema(spec: dict[str, Any]) -> dict[str, Any]:
    wanted = [one for one in spec.get("parameters", ()) if one["in"] == "query"]
    return {
        "type": "object",
        "properties": {one["name"]: one["schema"] for one in wanted},
        "required": [one["name"] for one in wanted if one["required"]],
        # An empty allOf would be no JSON Schema.
        **({"allOf": spec["x-query-rules"]} if "x-query-rules" in spec else {}),
    }


def _resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = document
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return dict(target)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", template)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def _likeness(path: str, template: str) -> float:
    """How alike a path and a template are, from 0 to 1; slashes at the ends and doubled ones do not count."""
    given = [step for step in path.split("/") if step]
    known = [step for step in template.split("/") if step]
    if len(given) == len(known):
        # What stands in place of a parameter says nothing about which route was meant.
        pairs = [(a, b) for a, b in zip(given, known, strict=True) if not b.startswith("{")]
        given, known = [a for a, _ in pairs], [b for _, b in pairs]
    return difflib.SequenceMatcher(None, "/".join(given), "/".join(known)).ratio()


def _evidence(document: dict[str, Any], operation: Operation) -> Iterator[Evidence]:
    yield Evidence(operation.id, "operation", "", operation.evidence, operation.source, operation.differs)
    for one in operation.parameters:
        yield Evidence(operation.id, one.place, one.name, one.evidence, one.source, one.differs)
    spec = document["paths"][operation.path][operation.method.lower()]
    for schema in filter(None, (operation.request_schema, operation.form_schema)):
        yield from _fields(document, operation, "request", schema)
    for status, answer in spec["responses"].items():
        resolved = _resolve(document, answer)
        yield _row(operation, "response", status, resolved)
        for name, header in resolved.get("headers", {}).items():
            yield _row(operation, "response header", f"{status} {name}", header)
    success = operation.response_schemas[operation.success_status]
    if success:
        yield from _fields(document, operation, "response", success)


def _fields(document: dict[str, Any], operation: Operation, part: str, schema: str) -> Iterator[Evidence]:
    for name, node in _named(document, {"$ref": f"#/components/schemas/{schema}"}, ""):
        yield _row(operation, part, name, node)


def _row(operation: Operation, part: str, name: str, node: dict[str, Any]) -> Evidence:
    return Evidence(operation.id, part, name, node["x-evidence"], node["x-source"], node.get("x-differs", ""))


def _named(
    document: dict[str, Any], node: dict[str, Any], prefix: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    node = _resolve(document, node)
    for name, part in node.get("properties", {}).items():
        full = f"{prefix}.{name}" if prefix else name
        yield full, part
        yield from _named(document, part, full)
    if "items" in node:
        yield from _named(document, node["items"], f"{prefix}[]")
