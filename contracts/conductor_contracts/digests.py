"""What an operation is on the wire, as a digest: it changes when a request or an answer may look different."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from conductor_contracts.references import resolve

LENGTH = 12
"""Digits of a digest: enough to tell versions of one operation apart."""

_METHODS = ("get", "put", "post", "delete", "patch")
_PROSE = frozenset({"summary", "description", "tags", "example", "examples", "operationId"})
_MEANT = frozenset({"x-also-paths", "x-query-rules"})
"""The extensions that say what is taken; all others are words about it."""


def digests(document: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each operation of an OpenAPI document, by its id. Words and evidence are no part of it."""
    return {operation: _digest(document, path, method) for operation, path, method in _operations(document)}


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for path, spec in document["paths"].items():
        yield from ((spec[method]["operationId"], path, method) for method in _METHODS if method in spec)


def _digest(document: Mapping[str, Any], path: str, method: str) -> str:
    spec = {"security": document.get("security"), **document["paths"][path][method]}
    text = json.dumps([method, path, _plain(document, spec)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def _plain(document: Mapping[str, Any], node: Any, *, names: bool = False) -> Any:
    """A node with its references followed and its prose gone; `names` says that the keys are names of fields."""
    if isinstance(node, list):
        return [_plain(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    if not names and isinstance(node.get("$ref"), str):
        node = {**resolve(document, node), **{key: value for key, value in node.items() if key != "$ref"}}
        return _plain(document, node)
    return {
        str(key): _plain(document, value, names=not names and key in ("properties", "headers", "responses"))
        for key, value in node.items()
        if names or not (key in _PROSE or (str(key).startswith("x-") and key not in _MEANT))
    }
