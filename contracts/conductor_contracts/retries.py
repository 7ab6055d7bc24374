"""The retry table: what a client ought to do when requests go wrong (``retries.yaml``), as values.

Any client can be run against it: ask a fake for the fault of a case by its control API, let the client make the call,
then count requests in the fake's journal and effects among its jobs or files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from conductor_contracts.parsed import parse

OUTCOMES = ("success", "failure", "unknown")


@dataclass(frozen=True)
class Case:
    """One operation whose first ``times`` requests get a fault, and what is expected then.

    ``fault`` is as the control API takes it, ``name`` its name in the table. ``requests`` are the least and the most
    that the service may see. ``keys`` is whether the service honours
    Idempotency-Key, ``effects`` what the operation leaves behind; both None where they do not matter.
    """

    operation: str
    name: str
    fault: Mapping[str, Any]
    times: int
    requests: tuple[int, int]
    outcome: str
    effects: int | None
    keys: bool | None

    @property
    def id(self) -> str:
        """The case in one line."""
        keys = {True: " with keys", False: " without keys", None: ""}[self.keys]
        return f"{self.operation}{keys}: {self.name}" + (f" x {self.times}" if self.times > 1 else "")

    def rule(self) -> dict[str, Any]:
        """The body of ``POST /_mock/faults``."""
        return {"match": {"operation": self.operation}, "fault": dict(self.fault), "times": self.times}


def load_faults() -> dict[str, dict[str, Any]]:
    """Every fault of the table by its name."""
    faults: dict[str, dict[str, Any]] = _document()["faults"]
    return faults


def load_retries() -> tuple[Case, ...]:
    """Every case of the table, in its order."""
    return tuple(cases_of(_document()))


def cases_of(document: Mapping[str, Any]) -> Iterator[Case]:
    """The cases of a table in the form of the file.

    Raises ValueError for one that names an unknown fault or outcome.
    """
    for row in document["table"]:
        yield from _cases(row, document["faults"])


def _document() -> Any:
    text = resources.files("conductor_contracts").joinpath("retries.yaml").read_text(encoding="utf-8")
    return parse(text)


def _cases(row: Mapping[str, Any], faults: Mapping[str, Any]) -> Iterator[Case]:
    for operation in row["operations"]:
        for expected in row["cases"]:
            for name in expected["faults"]:
                if name not in faults or expected["outcome"] not in OUTCOMES:
                    raise ValueError(
                        f"{operation}: {name!r} is no fault, or {expected['outcome']!r} no outcome"
                    )
                count = expected["requests"]
                yield Case(
                    operation=operation,
                    name=name,
                    fault=faults[name],
                    times=expected.get("times", 1),
                    requests=(count, count) if isinstance(count, int) else (count[0], count[1]),
                    outcome=expected["outcome"],
                    effects=expected.get("effects"),
                    keys=row.get("keys"),
                )
