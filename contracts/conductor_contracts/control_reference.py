"""The calls of the control API as a table for people, made of ``control.yaml``; nothing about them is said here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conductor_contracts.contract import Contract
from conductor_contracts.markdown import table
from conductor_contracts.operation import Operation


def control_table(contract: Contract) -> str:
    """One row for each call, as Markdown: its name, how it is made, what it takes besides `account`, what it does."""
    rows = [
        (
            f"`{operation.id}`",
            f"`{operation.method} {_path(operation)}`",
            _named(_parameters(operation)),
            _named(_fields(contract, operation)),
            f"{operation.summary}. {operation.description}",
        )
        for operation in contract.operations.values()
    ]
    return table(("operation", "call", "query", "body", "what it does"), rows)


def _path(operation: Operation) -> str:
    return re.sub(r"{(\w+)}", lambda name: name[1].upper(), operation.path)


def _parameters(operation: Operation) -> Iterator[str]:
    for parameter in operation.parameters:
        if parameter.place == "query" and parameter.name != "account":
            yield parameter.name


def _named(names: Iterator[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _fields(contract: Contract, operation: Operation) -> Iterator[str]:
    """The fields of the body; of a body that is one object or a list of them, those of one."""
    if operation.request_schema is None:
        return
    schema = contract.document["components"]["schemas"][operation.request_schema]
    while "$ref" in schema.get("items", ()):
        schema = contract.document["components"]["schemas"][schema["items"]["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", ())
