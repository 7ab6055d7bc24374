"""Names that a request carries and the contract does not know, each with the name that may have been meant.

The service takes unknown fields and parameters, so they are no faults; but ``scout_frame`` in place of ``scout_frames``
is silently ignored there, and a hint is what saves the afternoon.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from conductor_contracts.problems import MAX_PROBLEMS, Problem, advice, pointer
from conductor_contracts.schemas import SchemaSet


@dataclass(frozen=True)
class Shape:
    """The names that a schema knows, stripped of everything else.

    ``names`` is None where any name may stand: in maps such as ``environment``, and in values that are
    no objects. ``fields`` holds only those that have names below them; ``also_called`` maps other
    names that people use to the real one.
    """

    names: frozenset[str] | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    item: Shape | None = None
    also_called: Mapping[str, str] = field(default_factory=dict)

    def unknown_in(self, body: Any) -> list[Problem]:
        """The unknown fields of a body, at most MAX_PROBLEMS."""
        return list(islice(self._walk(body, ""), MAX_PROBLEMS))

    def _walk(self, value: Any, path: str) -> Iterator[Problem]:
        if isinstance(value, dict):
            if self.names is not None and not self.names.issuperset(value):
                yield from self._strangers(value, path)
            for name, below in self.fields.items():
                if name in value:
                    yield from below._walk(value[name], pointer(path, name))
        elif isinstance(value, list) and self.item is not None:
            flat = not self.item.fields
            for number, item in enumerate(value):
                # Nearly all of a hundred thousand files carry known names only; those pass in one test.
                if flat and isinstance(item, dict) and self.item.names and self.item.names.issuperset(item):
                    continue
                yield from self.item._walk(item, pointer(path, number))

    def _strangers(self, value: Mapping[Any, Any], path: str) -> Iterator[Problem]:
        names = self.names or frozenset()
        for name in value:
            if isinstance(name, str) and name not in names:
                meant = advice(name, sorted(names), self.also_called)
                yield Problem(pointer(path, name), f"is not in the contract{meant}")


def unknown_parameters(given: Collection[str], known: Collection[str]) -> list[Problem]:
    """The parameters of a query that are not known, at most MAX_PROBLEMS."""
    strangers = (name for name in given if name not in known)
    return [
        Problem(pointer("", name), f"is no parameter here{advice(name, sorted(known))}")
        for name in islice(strangers, MAX_PROBLEMS)
    ]


def shape_of(schemas: SchemaSet, name: str) -> Shape:
    """The shape of a named schema."""
    return _shape(schemas, f"#/$defs/{name}")


def _shape(schemas: SchemaSet, address: str) -> Shape:
    schema = schemas.node(address)
    if "$ref" in schema:
        return _shape(schemas, schema["$ref"])
    if "items" in schema:
        return Shape(item=_shape(schemas, f"{address}/items"))
    properties = schema.get("properties", {})
    if not properties:
        return Shape()
    below = {name: _shape(schemas, f"{address}/properties/{name}") for name in properties}
    return Shape(
        names=None if "additionalProperties" in schema else frozenset(properties),
        fields={name: shape for name, shape in below.items() if _has_names(shape)},
        also_called={
            other: name for name, part in properties.items() for other in part.get("x-also-called", ())
        },
    )


def _has_names(shape: Shape) -> bool:
    return (
        shape.names is not None or bool(shape.fields) or (shape.item is not None and _has_names(shape.item))
    )
