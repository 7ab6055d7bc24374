"""The contracts as Python values: of the service (``load()``) and of the control API of a fake (``load_control()``).

``openapi.yaml`` and ``control.yaml`` say everything; nothing about either API is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from conductor_contracts import parsed
from conductor_contracts.evidence import Evidence, Tag, evidence
from conductor_contracts.operation import FORM, JSON, Operation, Parameter, query_schema_name, wrong_label
from conductor_contracts.problems import Problem
from conductor_contracts.references import resolve
from conductor_contracts.schemas import SchemaSet

_METHODS = ("get", "put", "post", "delete", "patch")
_ERROR = "Error"


@dataclass(frozen=True)
class Contract:
    """The whole contract of one API. ``document`` is its file as plain data; treat it as read-only."""

    document: dict[str, Any] = field(repr=False)
    operations: Mapping[str, Operation]
    schemas: SchemaSet = field(repr=False, compare=False)

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a method and a path without query name exactly, or None. HEAD is GET, without the body."""
        method = "GET" if method.upper() == "HEAD" else method.upper()
        for operation in self.operations.values():
            if operation.method == method and operation.matches(path):
                return operation
        return None

    def check_error(self, body: Any, media_type: str = JSON) -> list[Problem]:
        """Say where the body of a refusal departs from the one error shape, whatever the route."""
        return [*wrong_label(media_type), *self.schemas.check(_ERROR, body)]

    @property
    def grades(self) -> Mapping[str, str]:
        """What each grade of evidence means, the best one first."""
        grades: Mapping[str, str] = self.document["info"]["x-grades"]
        return grades

    @property
    def tags(self) -> list[Tag]:
        """The tags of sources, and what each stands for."""
        return [Tag(str(name), **tag) for name, tag in self.document["info"]["x-tags"].items()]

    @property
    def retries(self) -> Mapping[str, str]:
        """What each way of repeating an operation means."""
        retries: Mapping[str, str] = self.document["info"]["x-retries"]
        return retries

    def fidelity(self) -> list[Evidence]:
        """Every operation, parameter and field of the service with the grade and source of its evidence."""
        return evidence(self.document, self.operations.values())


@cache
def load() -> Contract:
    """Read the contract of the service. Reads two files, once; takes well under 0.1 s."""
    return of_document(parsed.read("openapi.yaml"))


@cache
def load_control() -> Contract:
    """Read the contract of the control API, which is a fake's own and no part of the service."""
    return of_document(parsed.read("control.yaml"))


def parse(text: str) -> Contract:
    """Make a contract of the text of an OpenAPI document that keeps the layout rules of ``openapi.yaml``."""
    return of_document(parsed.parse(text))


def of_document(document: dict[str, Any]) -> Contract:
    """Make a contract of such a document."""
    described = [
        (method, path, {**spec[method], "parameters": _parameters(document, spec[method])})
        for path, spec in document["paths"].items()
        for method in _METHODS
        if method in spec
    ]
    query_schemas = {query_schema_name(spec["operationId"]): _query_schema(spec) for _, _, spec in described}
    schemas = SchemaSet({**document["components"]["schemas"], **query_schemas})
    operations = [_operation(document, schemas, method, path, spec) for method, path, spec in described]
    return Contract(
        document, MappingProxyType({operation.id: operation for operation in operations}), schemas
    )


def _operation(
    document: dict[str, Any], schemas: SchemaSet, method: str, path: str, spec: dict[str, Any]
) -> Operation:
    body = spec.get("requestBody", {})
    responses = {int(status): resolve(document, answer) for status, answer in spec["responses"].items()}
    return Operation(
        id=spec["operationId"],
        method=method.upper(),
        path=path,
        also_paths=tuple(spec.get("x-also-paths", ())),
        tag=spec["tags"][0],
        summary=spec["summary"],
        description=spec["description"],
        authentication=_authentication_rule(spec.get("security", document["security"])),
        parameters=tuple(map(_parameter, spec["parameters"])),
        request_schema=_body_schema(body),
        form_schema=_body_schema(body, FORM),
        request_media_types=frozenset(body.get("content", {})),
        response_schemas=MappingProxyType({code: _body_schema(answer) for code, answer in responses.items()}),
        media_types=MappingProxyType(
            {code: frozenset(answer.get("content", {})) for code, answer in responses.items()}
        ),
        evidence=spec.get("x-evidence", ""),
        source=spec.get("x-source", ""),
        retry=spec.get("x-retry", ""),
        clients=tuple(spec.get("x-clients", ())),
        traps=tuple(spec.get("x-traps", ())),
        differs=spec.get("x-differs", ""),
        also_called=tuple(spec.get("x-also-called", ())),
        hands_out=spec.get("x-hands-out", False),
        _schemas=schemas,
    )


def _parameters(document: dict[str, Any], spec: dict[str, Any]) -> list[Mapping[str, Any]]:
    return [resolve(document, parameter) for parameter in spec.get("parameters", ())]


def _parameter(spec: Mapping[str, Any]) -> Parameter:
    return Parameter(
        spec["name"],
        spec["in"],
        spec["required"],
        spec["schema"],
        spec.get("description", ""),
        spec.get("x-evidence", ""),
        spec.get("x-source", ""),
        spec.get("x-differs", ""),
    )


def _authentication_rule(security: list[dict[str, Any]]) -> str:
    if not security:
        return "never"
    return "optional" if {} in security else "required"


def _body_schema(holder: Mapping[str, Any], media_type: str = JSON) -> str | None:
    reference = holder.get("content", {}).get(media_type, {}).get("schema", {}).get("$ref")
    return None if reference is None else str(reference).rpartition("/")[2]


def _query_schema(spec: dict[str, Any]) -> dict[str, Any]:
    parameters = [parameter for parameter in spec["parameters"] if parameter["in"] == "query"]
    return {
        "type": "object",
        "properties": {parameter["name"]: parameter["schema"] for parameter in parameters},
        "required": [parameter["name"] for parameter in parameters if parameter["required"]],
        # An empty allOf would be no JSON Schema.
        **({"allOf": spec["x-query-rules"]} if "x-query-rules" in spec else {}),
    }
