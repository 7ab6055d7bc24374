"""On what evidence each part of the contract stands, as rows: one for every operation, parameter, field and answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conductor_contracts.operation import Operation
from conductor_contracts.references import resolve


@dataclass(frozen=True)
class Tag:
    """Who vouches for what a source says: ``[cio9]``. ``grade`` is that of what it vouches for."""

    name: str
    grade: str
    means: str


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


def evidence(document: Mapping[str, Any], operations: Iterable[Operation]) -> list[Evidence]:
    """The rows of all operations of a document in which everything says on what it stands."""
    return [row for operation in operations for row in _rows(document, operation)]


def tags_of(source: str) -> list[str]:
    """The names of the tags in a source, without the words that say more: ``[cio9 downloader]`` is ``cio9``."""
    return [match.partition(" ")[0] for match in re.findall(r"\[([^]]+)\]", source)]


def _rows(document: Mapping[str, Any], operation: Operation) -> Iterator[Evidence]:
    yield Evidence(operation.id, "operation", "", operation.evidence, operation.source, operation.differs)
    for each in operation.parameters:
        yield Evidence(operation.id, each.place, each.name, each.evidence, each.source, each.differs)
    spec = document["paths"][operation.path][operation.method.lower()]
    for schema in filter(None, (operation.request_schema, operation.form_schema)):
        yield from _fields(document, operation, "request", schema)
    for status, answer in spec["responses"].items():
        resolved = resolve(document, answer)
        yield _row(operation, "response", status, resolved)
        for name, header in resolved.get("headers", {}).items():
            yield _row(operation, "response header", f"{status} {name}", header)
    success = operation.response_schemas[operation.success_status]
    if success:
        yield from _fields(document, operation, "response", success)


def _fields(document: Mapping[str, Any], operation: Operation, part: str, schema: str) -> Iterator[Evidence]:
    for name, node in _named(document, {"$ref": f"#/components/schemas/{schema}"}, ""):
        yield _row(operation, part, name, node)


def _row(operation: Operation, part: str, name: str, node: Mapping[str, Any]) -> Evidence:
    return Evidence(operation.id, part, name, node["x-evidence"], node["x-source"], node.get("x-differs", ""))


def _named(
    document: Mapping[str, Any], node: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    node = resolve(document, node)
    for name, part in node.get("properties", {}).items():
        full = f"{prefix}.{name}" if prefix else name
        yield full, part
        yield from _named(document, part, full)
    if "items" in node:
        yield from _named(document, node["items"], f"{prefix}[]")
