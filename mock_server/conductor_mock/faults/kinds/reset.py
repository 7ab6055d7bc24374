from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from conductor_mock.faults.bodies import read_up_to
from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import flag
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """A TCP reset, after or before the request's body was read, or at the rule's `from_byte` in it."""

    kind = "reset"
    carried_out = 0
    read_body: bool = flag(default=True, meaning="after the request's body, or before")

    def answer(self, first: Answer, exchange: Exchange) -> NoReturn:
        """Break the connection."""
        if not self.read_body and exchange.from_byte:
            read_up_to(exchange.environ["wsgi.input"], exchange.from_byte)
        exchange.wire.reset(read_body=self.read_body)
