"""Where a capture of a service departs from the contract, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor_contracts.contract import Contract, load
from conductor_contracts.interactions import CAPTURED, Interaction, InteractionError, Step, interactions_of
from conductor_contracts.near_miss import closest
from conductor_contracts.problems import Problem

NEW, MISSING, OTHER, STATUS, ROUTE = "new", "missing", "other", "status", "route"
_PARTS = frozenset({"operation", "interactions"})


@dataclass(frozen=True)
class Difference:
    """One difference: ``kind`` is new, missing, other (type or value), status or route; ``place`` a JSON pointer.

    Numbers of items are ``[]`` in the place, so that one difference of a thousand records is one. ``part`` is query,
    request or answer.
    """

    operation: str
    kind: str
    part: str
    place: str
    message: str

    def __str__(self) -> str:
        where = f" {self.part} {self.place}" if self.place else f" {self.part}" if self.part else ""
        return f"{self.kind:8}{self.operation}{where}: {self.message}"


def drift(capture: Iterable[Interaction], contract: Contract | None = None) -> list[Difference]:
    """Every difference between what was captured and the contract, each once, in the order in which they came.

    A capture is what `capture` writes: interactions whose expected answers are what the service said, word for word.
    """
    contract = contract or load()
    found: dict[tuple[str, ...], Difference] = {}
    for interaction in capture:
        for step in interaction.steps:
            for one in _of_step(step, interaction, contract):
                found.setdefault((one.operation, one.kind, one.part, one.place), one)
    return list(found.values())


def as_capture(documents: Iterable[Any]) -> list[Interaction]:
    """The exchanges of a capture, of its documents as they were read. Raises InteractionError, with the place."""
    found: list[Interaction] = []
    for number, document in enumerate(documents, start=1):
        place = f"document {number}"
        if not isinstance(document, Mapping) or not document.keys() >= _PARTS:
            raise InteractionError(f"{place} is no object with {' and '.join(sorted(_PARTS))}")
        found.extend(interactions_of(document, place))
    asked = next((one for one in found if one.source != CAPTURED), None)
    if asked is not None:
        raise InteractionError(f"{asked.id!r} says what is to be asked and answered, not what was")
    return found


def never_seen(capture: Sequence[Interaction], contract: Contract | None = None) -> list[str]:
    """Fields of good answers that the contract names and no captured answer of their operation has."""
    contract = contract or load()
    seen: dict[str, set[str]] = {}
    for interaction in capture:
        for step in interaction.steps:
            if step.operation in contract.operations and step.expect.status[0] < 300:
                seen.setdefault(str(step.operation), set()).update(_fields(step.expect.body))
    return [
        f"{row.operation} {row.name}"
        for row in contract.fidelity()
        if row.part == "response" and row.operation in seen and "." not in row.name.split("[]")[-1]
        if row.name not in seen[row.operation] and _around(row.name) in seen[row.operation] | {""}
        if not row.name.isdecimal()
    ]


def _of_step(step: Step, interaction: Interaction, contract: Contract) -> Iterator[Difference]:
    status, body = step.expect.status[0], step.expect.body
    operation = contract.operations.get(step.operation or "")
    if operation is None:
        asked = f"{step.request.method} {step.request.path}"
        near = closest(contract.operations.values(), step.request.method or "GET", step.request.path or "/")
        nearest = f"; the closest is {near.id}" if near else ""
        yield Difference("routes", ROUTE, "", asked, f"is no operation of the contract{nearest}")
        return
    name = operation.id
    for problem in operation.unknown_parameters(step.request.query):
        yield _difference(name, NEW, "query", problem)
    for problem in operation.unknown_fields(step.request.body):
        yield _difference(name, NEW, "request", problem)
    if step.request.body is not None and status < 400:
        for problem in operation.check_request(step.request.body):
            yield _difference(name, _kind(problem), "request", problem)
    if status not in operation.response_schemas:
        known = ", ".join(map(str, operation.statuses))
        yield Difference(name, STATUS, "answer", "", f"has status {status}; documented are {known}")
        return
    if step.request.method == "HEAD":
        return  # which has no body, whatever a GET would have
    if body is not None or operation.response_schemas[status] is not None:
        for problem in operation.check_response(status, body):
            yield _difference(name, _kind(problem), "answer", problem)
    for problem in operation.unknown_answer_fields(status, body):
        yield _difference(name, NEW, "answer", problem)


def _kind(problem: Problem) -> str:
    return MISSING if problem.message.startswith("is required") else OTHER


def _difference(operation: str, kind: str, part: str, problem: Problem) -> Difference:
    place = re.sub(r"/\d+(?=/|$)", "/[]", problem.path)
    return Difference(operation, kind, part, place, problem.message)


def _fields(value: Any, prefix: str = "") -> Iterator[str]:
    """The names of all fields in the way in which the contract names them: ``data[].id``."""
    if isinstance(value, dict):
        for name, below in value.items():
            full = f"{prefix}.{name}" if prefix else name
            yield full
            yield from _fields(below, full)
    elif isinstance(value, list):
        for item in value:
            yield f"{prefix}[]"
            yield from _fields(item, f"{prefix}[]")


def _around(name: str) -> str:
    """What a field lies in: ``data[]`` of ``data[].id``, nothing of ``data``."""
    return name.rpartition(".")[0]
