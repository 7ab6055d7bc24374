from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import wall_seconds
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Nothing until it hangs up, or until the time is over and the connection is closed."""

    kind = "stall"
    carried_out = 0
    seconds: float = wall_seconds(default=60.0, most=600, meaning="for how long")

    def answer(self, first: Answer, exchange: Exchange) -> NoReturn:
        """Say nothing."""
        exchange.wire.stall(self.seconds)
