from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class LostAnswer(Fault):
    """A closed connection without an answer."""

    kind = "lost_answer"
    of_answer = True

    def answer(self, first: Answer, exchange: Exchange) -> NoReturn:
        """Close."""
        exchange.wire.close()
