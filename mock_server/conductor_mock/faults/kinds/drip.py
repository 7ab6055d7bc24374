from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conductor_mock.faults.fault import Exchange, Fault, Wire
from conductor_mock.faults.options import whole_number
from conductor_mock.wire.answer import Answer

DROPS_PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class Drip(Fault):
    """The right answer, its body at so many bytes a second: no single read takes long, all of it does."""

    kind = "drip"
    of_answer = True
    bytes_per_second: int = whole_number(
        default=1024, least=1, most=1 << 30, meaning="how fast the body goes out"
    )

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """Send the head at once, and the body in drops."""
        return first.with_body(_drops(first.body, self.bytes_per_second, exchange.wire))


def _drops(body: Iterable[bytes], rate: int, wire: Wire) -> Iterator[bytes]:
    size = max(1, rate // DROPS_PER_SECOND)
    sent = 0
    for block in body:
        for start in range(0, len(block), size):
            if sent and not wire.hold_back(sent / rate):
                wire.close()  # nobody waits for the rest
            drop = block[start : start + size]
            yield drop
            sent = len(drop)
