"""One rule: which requests get a fault, how many of them, and how many have."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from conductor_mock.faults.fault import Fault
from conductor_mock.faults.paths import PathPattern


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request as rules see it: its operation (None where there is none), and wall time."""

    operation: str | None
    method: str
    path: str
    now_s: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that gets a fault: the number of the rule, the kind that was asked for, and what it gets."""

    rule: int
    kind: str
    fault: Fault
    freed: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set once the rule is deleted: whoever waits because of it goes on."""


@dataclass(slots=True)
class Rule:
    """One fault. `seen` counts the requests that fitted, `consumed` those that got the fault."""

    number: int
    operation: str | None
    method: str | None
    path: PathPattern | None
    fault: Fault
    times: int | None
    skip: int
    seen: int = 0
    consumed: int = 0
    memory: Any = None
    """What the fault remembers of the requests before."""
    freed: threading.Event = field(default_factory=threading.Event)

    def take(self, asked: RequestInfo) -> Hit | None:
        """What the request gets by this rule, None if nothing; counts it if it fits."""
        if not self._fits(asked):
            return None
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.consumed >= self.times):
            return None
        self.memory, fault = self.fault.choose(self.memory, asked.now_s)
        if fault is None:
            return None
        self.consumed += 1
        return Hit(self.number, self.fault.kind, fault, self.freed)

    def _fits(self, asked: RequestInfo) -> bool:
        if self.operation is not None and self.operation != asked.operation:
            return False
        if self.method is not None and self.method != asked.method:
            return False
        return self.path is None or self.path.fits(asked.path)

    def to_json(self) -> dict[str, Any]:
        match = {"operation": self.operation, "method": self.method, "path": self.path and self.path.text}
        return {
            "id": self.number,
            "match": {name: value for name, value in match.items() if value is not None},
            "fault": self.fault.to_json(),
            "times": self.times,
            "skip": self.skip,
            "seen": self.seen,
            "consumed": self.consumed,
        }
