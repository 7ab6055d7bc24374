"""Rules as JSON: their schema, which is made of the kinds and their options, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

from conductor_contracts.schemas import SchemaSet
from conductor_mock.errors import Detail
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import BY_NAME, KINDS
from conductor_mock.faults.options import schema_of, value_of
from conductor_mock.faults.rule import Rule

_MOST = 1_000_000_000
_RULE = "FaultRule"


class FaultError(ValueError):
    """A rule that cannot be meant. The path of each detail is a JSON pointer into it."""

    def __init__(self, *details: Detail) -> None:
        super().__init__("; ".join(f"{detail.path} {detail.message}".strip() for detail in details))
        self.details = details


def rule_schemas(operations: Collection[str]) -> dict[str, dict[str, Any]]:
    """The JSON Schema of a rule, `FaultRule`, and those that it refers to, one for each kind of fault.

    `operations` are the ids that a rule may name.
    """
    return {_RULE: _rule_schema(operations), **{_name(kind): _kind_schema(kind) for kind in KINDS}}


def read_rule(data: Any, operations: Collection[str]) -> Rule:
    """The rule that `data` says, with the number 0. Raises FaultError that names everything that is wrong with it."""
    problems = _compiled(frozenset(operations)).check(_RULE, data)
    if problems:
        raise FaultError(*(Detail(problem.path, problem.message) for problem in problems))
    match = data.get("match", {})
    method, times = match.get("method"), data.get("times")
    return Rule(
        number=0,
        operation=match.get("operation"),
        method=None if method is None else method.upper(),
        path=_pattern(match.get("path")),
        fault=_fault(data["fault"]),
        times=None if times is None else int(times),
        skip=int(data.get("skip") or 0),
    )


def _fault(data: dict[str, Any]) -> Fault:
    kind = BY_NAME[data["kind"]]
    return kind(**{option.name: value_of(option, data) for option in kind.options()})


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise FaultError(Detail("/match/path", f"is not a regular expression: {error}")) from None


@cache
def _compiled(operations: frozenset[str]) -> SchemaSet:
    return SchemaSet(rule_schemas(sorted(operations)))


def _rule_schema(operations: Collection[str]) -> dict[str, Any]:
    names = [kind.kind for kind in KINDS]
    kinds = {"type": "string", "enum": names, "x-expect": f"one of {', '.join(names)}"}
    match = {
        "operation": {
            "type": ["string", "null"],
            "enum": [*operations, None],
            "x-expect": "an operation of the contract",
        },
        "method": {"type": ["string", "null"]},
        "path": {
            "type": ["string", "null"],
            "description": "a regular expression that the whole path must fit",
        },
    }
    return {
        "type": "object",
        "x-expect": "an object with match, fault, times, skip",
        "required": ["fault"],
        "properties": {
            "match": {"type": "object", "properties": match, "additionalProperties": False},
            "fault": {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": kinds},
                "allOf": [_if_of_kind(kind) for kind in KINDS],
            },
            "times": _count(1, "how many requests get the fault; all of them without it"),
            "skip": _count(0, "how many requests that fit are served before"),
        },
        "additionalProperties": False,
    }


def _if_of_kind(kind: type[Fault]) -> dict[str, Any]:
    return {
        "if": {"required": ["kind"], "properties": {"kind": {"const": kind.kind}}},
        "then": {"$ref": f"#/components/schemas/{_name(kind)}"},
    }


def _kind_schema(kind: type[Fault]) -> dict[str, Any]:
    options = {option.name: schema_of(option) for option in kind.options()}
    return {
        "type": "object",
        "description": kind.effect(),
        "properties": {"kind": {"const": kind.kind}, **options},
        "additionalProperties": False,
    }


def _count(least: int, meaning: str) -> dict[str, Any]:
    expected = f"a whole number from {least} to {_MOST}"
    return {
        "type": ["integer", "null"],
        "minimum": least,
        "maximum": _MOST,
        "x-expect": expected,
        "description": meaning,
    }


def _name(kind: type[Fault]) -> str:
    return f"Fault.{kind.kind}"
