"""Rules as JSON: their schema, which is made of the kinds and their options, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from conductor_contracts.contract import load_control
from conductor_contracts.operation import advice_on_operation
from conductor_contracts.problems import Problem
from conductor_contracts.schemas import SchemaSet
from conductor_mock.faults.conditions import BodyMatch, Match, Turns, seconds_of
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import BY_NAME, KINDS
from conductor_mock.faults.options import schema_of, value_of
from conductor_mock.faults.paths import MAX_LENGTH, PathPattern, PathPatternError
from conductor_mock.faults.rule import Rule

_AROUND = (
    "FaultRule", "FaultMatch", "FaultBody", "FaultTimes", "FaultSkip", "FaultEvery", "FaultProbability", "FaultSeed",
    "FaultFromByte", "TimeOrNull",
)  # fmt: skip
"""The schemas of `control.yaml` that a rule is made of."""


class FaultError(ValueError):
    """A rule that cannot be meant. The path of each problem is a JSON pointer into it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def fault_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of a rule's fault, `Fault`, and those that it refers to, one for each kind."""
    names = [kind.kind for kind in KINDS]
    fault = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string", "enum": names, "x-expect": f"one of {', '.join(names)}"}},
        "allOf": [_if_of_kind(kind) for kind in KINDS],
    }
    return {"Fault": fault, **{_name(kind): _kind_schema(kind) for kind in KINDS}}


def read_rule(data: Any, operations: Collection[str]) -> Rule:
    """The rule that `data` says, with the number 0; `operations` are the ids that it may name.

    Raises FaultError that names everything that is wrong with it.
    """
    problems = list(_schemas().check("FaultRule", data))
    match = (data.get("match") or {}) if isinstance(data, dict) else {}
    if isinstance(match, dict):
        problems += _wrong_in_match(match, operations)
    if isinstance(data, dict) and not any(problem.path == "/until" for problem in problems):
        problems += _wrong_time(data.get("until"))
    if problems:
        raise FaultError(*problems)
    fault, from_byte = _fault(data["fault"]), int(data.get("from_byte") or 0)
    return Rule(
        number=0,
        match=_match(match, data.get("until"), 0 if fault.of_answer else from_byte),
        fault=fault,
        turns=_turns(data),
        from_byte=from_byte,
    )


def _match(match: Mapping[str, Any], until: str | None, least_body: int) -> Match:
    method, path, body = match.get("method"), match.get("path"), match.get("body")
    return Match(
        operation=match.get("operation"),
        method=None if method is None else method.upper(),
        path=None if path is None else PathPattern.compiled(path),
        body=None if body is None else BodyMatch(body["pointer"], body["value"]),
        until=until,
        least_body=least_body,
    )


def _turns(data: Mapping[str, Any]) -> Turns:
    """The turns of a valid rule; null is the default of each."""
    given = {option.name: data[option.name] for option in fields(Turns) if data.get(option.name) is not None}
    whole = {name: int(value) for name, value in given.items() if name != "probability"}
    return Turns(**{**given, **whole})


def _wrong_in_match(match: Mapping[str, Any], operations: Collection[str]) -> Iterator[Problem]:
    """What no schema says: which operations the service has, and what a regular expression is."""
    operation, path = match.get("operation"), match.get("path")
    if isinstance(operation, str) and operation not in operations:
        meant = advice_on_operation(operation, operations)
        yield Problem("/match/operation", f"is no operation of the contract: {operation[:80]!r}{meant}")
    if not isinstance(path, str) or len(path) > MAX_LENGTH:
        return  # the schema says so
    try:
        PathPattern.compiled(path)
    except PathPatternError as error:
        yield Problem("/match/path", f"is not a regular expression that RE2 takes: {error}")


def _wrong_time(until: Any) -> Iterator[Problem]:
    if not isinstance(until, str):
        return  # the schema says so
    try:
        seconds_of(until)
    except ValueError:
        yield Problem("/until", f"is no time of the calendar: {until[:40]!r}")


def _fault(data: dict[str, Any]) -> Fault:
    kind = BY_NAME[data["kind"]]
    return kind(**{option.name: value_of(option, data) for option in kind.options()})


@cache
def _schemas() -> SchemaSet:
    """The contract of the control API says what stands around a fault, the kinds say the rest."""
    components = load_control().document["components"]["schemas"]
    return SchemaSet({**{name: components[name] for name in _AROUND}, **fault_schemas()})


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


def _name(kind: type[Fault]) -> str:
    return f"Fault.{kind.kind}"
