"""The schemas of the contract, each compiled when it is first asked for, and the words for what breaks them.

jsonschema-rs is the judge of every value. When it says no, the explainer goes down the schema, asking
the judge again at every step, until it stands at the fault; so the words cannot disagree with the
verdict, and the work stays bounded however large the body is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from conductor_contracts.json_values import first_impossible_value, types_of
from conductor_contracts.problems import MAX_PROBLEMS, Problem, advice, nearest, pointer, show

if TYPE_CHECKING:
    import jsonschema_rs

Schema = Mapping[str, Any]

_COMPONENTS = "#/components/schemas/"
_TYPE_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class SchemaSet:
    """Named schemas that may refer to one another. One is compiled, with those that it needs, when it is first asked.

    A program that starts asks few of them, and to compile all takes longer than the rest of reading a contract.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._nodes: dict[str, Schema] = {}
        definitions = {name: _with_local_references(schema) for name, schema in schemas.items()}
        for name, schema in definitions.items():
            self._nodes.update(_nodes(f"#/$defs/{name}", schema))
        self._compiled: dict[str, jsonschema_rs.ValidatorMap] = {}
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def node(self, address: str) -> Schema:
        """The schema at an address such as ``#/$defs/JobPayload``; KeyError if there is none."""
        return self._nodes[address]

    def document(self, name: str) -> dict[str, Any]:
        """A named schema with all that it refers to, as one JSON Schema. KeyError if there is none."""
        found: dict[str, Schema] = {}
        waiting = [f"#/$defs/{name}"]
        while waiting:
            address = waiting.pop()
            if address not in found:
                found[address] = self._nodes[address]
                waiting += _references(found[address])
        definitions = {address.removeprefix("#/$defs/"): schema for address, schema in found.items()}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": f"#/$defs/{name}",
            "$defs": definitions,
        }

    def check(self, name: str, body: Any, *, was_read: bool = False) -> list[Problem]:
        """Say what is wrong with a body under a named schema, at most MAX_PROBLEMS things.

        Takes any Python value and raises nothing for it. A body that `was_read` by `json_text.read` is JSON: that lets
        nothing else through, so nobody looks for it again.
        """
        impossible = None if was_read else first_impossible_value(body)
        if impossible:
            return [impossible]
        # Two rules may find one fault: each is said once, in the order found.
        faults = self._explain(f"#/$defs/{name}", body, "")
        return list(dict.fromkeys(islice(faults, MAX_PROBLEMS)))

    def accepts(self, address: str, value: Any) -> bool:
        """Whether the schema at an address takes a value."""
        return self._validator(address).is_valid(value)

    def _validator(self, address: str) -> jsonschema_rs.Validator:
        """The judge of what an address takes. Two threads may make the same one: either of them is right."""
        made = self._validators.get(address)
        if made is None:
            name = address.split("/", 3)[2]
            if name not in self._compiled:
                self._compile(name)
            made = self._validators[address] = self._compiled[name][address]
        return made

    def _compile(self, name: str) -> None:
        document = self.document(name)
        import jsonschema_rs  # not every program that knows the words of a contract judges by it

        compiled = jsonschema_rs.validator_map_for(document, offline=True)
        for each in document["$defs"]:  # all that it needs is there, too
            self._compiled.setdefault(each, compiled)

    def _explain(self, address: str, value: Any, path: str) -> Iterator[Problem]:
        if self.accepts(address, value):
            return
        schema = self._nodes[address]
        fault = schema.get("x-fault")
        if fault:
            yield Problem(path + fault["path"], fault["message"])
            return
        message = _own_fault(schema, value)
        if message:
            yield Problem(path, message)
            return
        is_told = False
        for problem in self._below(address, schema, value, path):
            is_told = True
            yield problem
        if not is_told:
            expected = schema.get("x-expect", "something else")
            yield Problem(path, f"must be {expected}, got {show(value)}")

    def _below(self, address: str, schema: Schema, value: Any, path: str) -> Iterator[Problem]:
        """Faults that lie in the parts of a schema: names that it does not take, then the rules over several fields."""
        if isinstance(value, dict) and schema.get("additionalProperties") is False:
            named = schema.get("properties", {})
            for name in value:
                if name not in named:
                    yield Problem(pointer(path, name), f"is not known{advice(name, named)}")
        if "$ref" in schema:
            yield from self._explain(schema["$ref"], value, path)
        for number in range(len(schema.get("allOf", ()))):
            yield from self._explain(f"{address}/allOf/{number}", value, path)
        if "if" in schema and self.accepts(f"{address}/if", value):
            yield from self._explain(f"{address}/then", value, path)
        if isinstance(value, dict):
            yield from self._in_object(address, schema, value, path)
        elif isinstance(value, list) and "items" in schema:
            accepts = self._validator(f"{address}/items").is_valid
            for number, item in enumerate(value):
                if not accepts(item):
                    yield from self._explain(f"{address}/items", item, pointer(path, number))

    def _in_object(self, address: str, schema: Schema, value: dict[str, Any], path: str) -> Iterator[Problem]:
        named = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield Problem(pointer(path, name), "is required")
        for name, others in schema.get("dependentRequired", {}).items():
            for other in others:
                if name in value and other not in value:
                    yield Problem(pointer(path, other), f"is required with {name}")
        for name in named:
            if name in value:
                yield from self._explain(f"{address}/properties/{name}", value[name], pointer(path, name))
        if isinstance(schema.get("additionalProperties"), dict):
            accepts = self._validator(f"{address}/additionalProperties").is_valid
            for name, item in value.items():
                if name not in named and not accepts(item):
                    yield from self._explain(f"{address}/additionalProperties", item, pointer(path, name))
        if "propertyNames" in schema:
            accepts = self._validator(f"{address}/propertyNames").is_valid
            for name in value:
                if not accepts(name):
                    for problem in self._explain(f"{address}/propertyNames", name, pointer(path, name)):
                        yield Problem(problem.path, f"has a name that {problem.message}")


def _own_fault(schema: Schema, value: Any) -> str | None:
    """What a schema's own keywords, not those of its parts, hold against a value; None if nothing."""
    expected = schema.get("x-expect")
    if not _has_type(value, schema):
        wanted = expected or _either([_TYPE_WORDS[name] for name in _types(schema)])
        return f"must be {wanted}, got {show(value)}"
    if expected and not isinstance(value, (dict, list)):
        return (
            f"must be {expected}, got {show(value)}{_meant(schema, value)}" if "$ref" not in schema else None
        )
    return _choice_fault(schema, value) or _limit_fault(schema, value)


def _choice_fault(schema: Schema, value: Any) -> str | None:
    if "const" in schema and schema["const"] != value:
        return f"must be {json.dumps(schema['const'])}, got {show(value)}"
    if "enum" in schema and value not in schema["enum"]:
        choices = _either([json.dumps(option) for option in schema["enum"]])
        return f"must be {choices}, got {show(value)}{_meant(schema, value)}"
    return None


def _meant(schema: Schema, value: Any) -> str:
    """The choice that a text was probably meant for, as the end of a sentence."""
    words = [option for option in schema.get("enum", ()) if isinstance(option, str)]
    near = nearest(value, words) if isinstance(value, str) and value not in words else None
    return "" if near is None else f"; did you mean {near!r}?"


def _limit_fault(schema: Schema, value: Any) -> str | None:
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            return "must not be empty"
        if len(value) > schema.get("maxLength", len(value)):
            return f"must have at most {schema['maxLength']} characters, has {len(value)}"
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            return f"must have {schema['minItems']} or more items, has {len(value)}"
        if len(value) > schema.get("maxItems", len(value)):
            return f"must have {schema['maxItems']} or fewer items, has {len(value)}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            return f"must be {schema['minimum']} or more, got {show(value)}"
        if value > schema.get("maximum", value):
            return f"must be {schema['maximum']} or less, got {show(value)}"
    return None


def _types(schema: Schema) -> list[str]:
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)


def _has_type(value: Any, schema: Schema) -> bool:
    wanted = _types(schema)
    return not wanted or not set(wanted).isdisjoint(types_of(value))


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _with_local_references(schema: Any) -> Any:
    """A copy of a schema whose references point into ``$defs`` in place of the OpenAPI components."""
    if isinstance(schema, dict):
        return {
            key: value.replace(_COMPONENTS, "#/$defs/") if key == "$ref" else _with_local_references(value)
            for key, value in schema.items()
        }
    return [_with_local_references(item) for item in schema] if isinstance(schema, list) else schema


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for below in schema.values():
            yield from _references(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _references(below)


def _nodes(address: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every subschema with its address, in the places where JSON Schema has subschemas."""
    yield address, schema
    for name, part in schema.get("properties", {}).items():
        yield from _nodes(f"{address}/properties/{name}", part)
    for keyword in ("items", "additionalProperties", "propertyNames", "not", "if", "then"):
        if isinstance(schema.get(keyword), dict):
            yield from _nodes(f"{address}/{keyword}", schema[keyword])
    for keyword in ("allOf", "anyOf"):
        for number, part in enumerate(schema.get(keyword, ())):
            yield from _nodes(f"{address}/{keyword}/{number}", part)
