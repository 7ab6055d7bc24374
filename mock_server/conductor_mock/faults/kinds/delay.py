from __future__ import annotations

from dataclasses import dataclass

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import wall_seconds
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """The right answer, so many wall seconds late."""

    kind = "delay"
    of_answer = True
    seconds: float = wall_seconds(default=1.0, most=60, meaning="for how long")

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """Wait."""
        exchange.wire.hold_back(self.seconds)
        return first
