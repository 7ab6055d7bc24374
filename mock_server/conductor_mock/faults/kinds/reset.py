from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import flag
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """A TCP reset, after or before the request's body was read."""

    kind = "reset"
    carried_out = 0
    read_body: bool = flag(default=True, meaning="after the request's body, or before")

    def answer(self, first: Answer, exchange: Exchange) -> NoReturn:
        """Break the connection."""
        exchange.wire.reset(read_body=self.read_body)
