"""One rule: which requests get a fault, how many of them, and how many have."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conductor_mock.faults.conditions import Match, RequestInfo, Turns
from conductor_mock.faults.fault import Fault, Freed


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that gets a fault: the number of the rule, the kind that was asked for, and what it gets.

    `from_byte` is the byte at which the fault begins (`Fault.of_answer` says of which body).
    """

    rule: int
    kind: str
    fault: Fault
    from_byte: int = 0
    freed: Freed = field(default_factory=threading.Event, compare=False)
    """Set once the rule is deleted: whoever waits because of it goes on."""


@dataclass(slots=True)
class Rule:
    """One fault. `seen` counts the requests that fitted, `consumed` those that got the fault."""

    number: int
    match: Match
    fault: Fault
    turns: Turns
    from_byte: int = 0
    seen: int = 0
    consumed: int = 0
    memory: Any = None
    """What the fault remembers of the requests before."""
    freed: Freed = field(default_factory=threading.Event)

    def wants_body(self, asked: RequestInfo) -> bool:
        """Whether it takes the request's body to know whether it fits."""
        return self.match.body is not None and self.match.fits_head(asked)

    def take(self, asked: RequestInfo, handed_out: Mapping[str, int]) -> Hit | None:
        """What the request gets by this rule, None if nothing; counts it if it fits.

        `handed_out` is how many of each the account was given so far (`rules.TOKEN`, `rules.URL`).
        """
        if not self.match.fits(asked):
            return None
        self.seen += 1
        if not self.turns.chooses(self.seen, self.consumed):
            return None
        self.memory, fault = self.fault.choose(self.memory, asked, handed_out)
        if fault is None:
            return None
        self.consumed += 1
        return Hit(self.number, self.fault.kind, fault, self.from_byte, self.freed)

    def free(self) -> None:
        """It was deleted: let those go on whom it holds back in this process."""
        if isinstance(self.freed, threading.Event):
            self.freed.set()

    def asked_for(self) -> dict[str, Any]:
        """The rule as it may be asked for again (`reading.read_rule`)."""
        return {
            "match": self.match.to_json(),
            "fault": self.fault.to_json(),
            **self.turns.to_json(),
            "until": self.match.until,
            "from_byte": self.from_byte,
        }

    def to_json(self) -> dict[str, Any]:
        return {"id": self.number, **self.asked_for(), "seen": self.seen, "consumed": self.consumed}
