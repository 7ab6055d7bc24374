"""How a fake is moved: its clock, what goes wrong with requests, how tasks go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conductor_mock.testkit.control import Control
from conductor_mock.testkit.values import FaultRule


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

    def until(self, jid: str) -> None:
        """Until a job has ended, or cannot go on by itself."""
        self._move(until={"job": jid})

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
        **options: Any,
    ) -> AskedFault:
        """Ask for a fault of requests for an operation (None: of any), `times` (None: of all), after `skip` of them.

        `options` are those of the kind (docs/reference/server.md#faults). Raises ControlError for what cannot be meant.
        """
        rule = {
            "match": {} if operation is None else {"operation": operation},
            "fault": {"kind": kind, **options},
            "times": times,
            "skip": skip,
        }
        if times is None:
            del rule["times"]
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


class Outcomes:
    """How tasks go."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def add(
        self,
        outcome: str | list[str],
        *,
        duration: float | None = None,
        exit_code: int | None = None,
        **match: str,
    ) -> None:
        """Let tasks that fit `match` (`jid`, `tid`, `frames`, `title`, ...) go so: one outcome, or one per attempt.

        Rules added later come first. Raises ControlError for what cannot be meant.
        """
        more = {"duration": duration, "exit_code": exit_code}
        rule = {
            "match": match,
            "outcome": outcome,
            **{name: value for name, value in more.items() if value is not None},
        }
        self._control.ask("POST", "outcomes", rule)

    def clear(self) -> None:
        """Tasks go as metadata and seed say."""
        self._control.ask("DELETE", "outcomes")
