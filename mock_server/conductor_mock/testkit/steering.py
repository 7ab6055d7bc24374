"""How a fake is moved: its clock, what goes wrong with requests, how tasks go, what it is offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from conductor_mock.testkit.beginning import catalog_document
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.given import body_condition, known_operation, text_of_numbers
from conductor_mock.testkit.values import AccountOptions, FaultRule


class Clock:
    """Simulated time, which stands still unless it is moved."""

    def __init__(self, control: Control) -> None:
        self._control = control

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return datetime.fromisoformat(self._control.ask("GET", "clock")["now"].replace("Z", "+00:00"))

    @property
    def speed(self) -> float:
        """Simulated seconds that pass in a second; 0 is frozen."""
        return float(self._control.ask("GET", "clock")["speed"])

    @speed.setter
    def speed(self, value: float) -> None:
        self._move(speed=value)

    def advance(self, seconds: float) -> None:
        """Let so many simulated seconds pass."""
        self._move(advance=seconds)

    def until_idle(self) -> None:
        """Until nothing is due any more."""
        self._move(until="idle")

    def until(self, jid: str | int) -> None:
        """Until a job has ended, or cannot go on by itself."""
        self._move(until={"job": text_of_numbers(jid)})

    def _move(self, **body: Any) -> None:
        self._control.ask("POST", "clock", body)


class Faults:
    """What goes wrong with requests."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def add(
        self,
        operation: str | None = None,
        kind: str = "status",
        *,
        times: int | None = 1,
        skip: int = 0,
        every: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
        until: str | None = None,
        from_byte: int | None = None,
        body: tuple[str, Any] | None = None,
        **options: Any,
    ) -> AskedFault:
        """Ask for a fault of requests for an operation (None: of any), `times` (None: of all), after `skip` of them.

        Of those behind `skip` each `every`-th is chosen, and gets it with a `probability` (0 to 1, drawn with `seed`),
        before `until` (ISO 8601, of the account's clock), from byte `from_byte` on. `body` is a JSON pointer and the
        value that the request's JSON must have there. `options` are those of the kind. All of it is in
        docs/reference/server.md#faults. Raises ValueError for an operation that the contract does not have and a
        `body` that is no such pair, ControlError for what else cannot be meant.
        """
        match: dict[str, Any] = {} if operation is None else {"operation": known_operation(operation)}
        if body is not None:
            match["body"] = body_condition(body)
        conditions = {
            "every": every,
            "probability": probability,
            "seed": seed,
            "until": until,
            "from_byte": from_byte,
        }
        rule = {
            "match": match,
            "fault": {"kind": kind, **options},
            "times": times,
            "skip": skip,
            **{name: value for name, value in conditions.items() if value is not None},
        }
        return AskedFault(self._control, self._control.ask("POST", "faults", rule)["id"])

    @property
    def all(self) -> list[FaultRule]:
        """The rules there are, with what they have seen and done."""
        return [FaultRule.of(record) for record in self._control.ask("GET", "faults")["faults"]]

    def clear(self) -> None:
        """No faults any more."""
        self._control.ask("DELETE", "faults")


@dataclass(frozen=True)
class AskedFault:
    """A fault that was asked for, to be looked at later."""

    _control: Control
    id: int

    @property
    def rule(self) -> FaultRule:
        """The rule as it is now. Raises LookupError when it was cleared."""
        for record in self._control.ask("GET", "faults")["faults"]:
            if record["id"] == self.id:
                return FaultRule.of(record)
        raise LookupError(f"fault {self.id} was cleared")

    @property
    def seen(self) -> int:
        """How many requests fitted."""
        return self.rule.seen

    @property
    def consumed(self) -> int:
        """How many requests got it."""
        return self.rule.consumed


class Options:
    """What decides an account's runs besides its requests."""

    def __init__(self, control: Control) -> None:
        self._control = control

    @property
    def now(self) -> AccountOptions:
        """The options in force."""
        return AccountOptions.of(self._control.ask("GET", "options"))

    def change(
        self,
        *,
        seed: int | None = None,
        fleet: int | None = None,
        provider: str | None = None,
        part_size: int | None = None,
        release_scouts: bool | None = None,
    ) -> None:
        """Change some of them (`AccountOptions`); None leaves one as it is. Raises ControlError."""
        given = {
            "seed": seed,
            "fleet": fleet,
            "provider": provider,
            "part_size": part_size,
            "release_scouts": release_scouts,
        }
        self._control.ask(
            "POST", "options", {name: value for name, value in given.items() if value is not None}
        )


class Catalog:
    """What the account is offered."""

    def __init__(self, control: Control) -> None:
        self._control = control

    @property
    def document(self) -> dict[str, Any]:
        """All of it, as a catalogue file has it (docs/reference/catalogue.md)."""
        document: dict[str, Any] = self._control.ask("GET", "catalog")
        return document

    @property
    def packages(self) -> list[dict[str, Any]]:
        """The software packages, as packages.list answers them."""
        return list(self.document["packages"])

    @property
    def projects(self) -> list[dict[str, Any]]:
        """The projects, as projects.list answers them."""
        return list(self.document["projects"])

    @property
    def instance_types(self) -> list[dict[str, Any]]:
        """The machines, as instance_types.list answers them."""
        return list(self.document["instance_types"])

    def replace(self, document: Mapping[str, Any] | str | Path | None) -> tuple[str, ...]:
        """Give the account a catalogue of its own: a document, the name of a shipped one, or a file.

        What a document leaves out is the server's, None is no catalogue of its own. Answers what clients will pass
        over in it. Raises ControlError that says what is wrong with it, CatalogError for a file that cannot be read.
        """
        given = None if document is None else dict(catalog_document(document))
        taken = self._control.ask("PUT", "catalog", given)
        return tuple(taken["warnings"])
