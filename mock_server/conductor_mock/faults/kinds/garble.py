from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.wire.answer import Answer

GARBAGE = b"\x16\x03 this is not HTTP\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Garble(Fault):
    """Something that is not HTTP."""

    kind = "garble"
    of_answer = True

    def answer(self, first: Answer, exchange: Exchange) -> NoReturn:
        """Send that."""
        exchange.wire.garble(GARBAGE)
