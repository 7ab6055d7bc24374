from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import whole_number
from conductor_mock.wire.answer import Answer

FLIPPED = 0x80
"""Put into a byte it makes ASCII, and so every JSON of ours, unreadable."""


@dataclass(frozen=True, slots=True)
class Corrupt(Fault):
    """An answer of the right length with so many bytes changed in its middle: JSON that cannot be read, a file of
    another md5.
    """

    kind = "corrupt"
    of_answer = True
    bytes: int = whole_number(default=1, least=1, most=1 << 20, meaning="how many to change")

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """Flip bits."""
        answer, length = first.sized()
        return answer.with_body(_flip(answer.body, length // 2, self.bytes))


def _flip(body: Iterable[bytes], start: int, count: int) -> Iterator[bytes]:
    """Flip a bit in each of `count` bytes from `start` on; a body that ends before that stays as it is."""
    place = 0
    for block in body:
        first, last = max(start - place, 0), min(start + count - place, len(block))
        place += len(block)
        if first >= last:
            yield block
            continue
        spoiled = bytes(byte ^ FLIPPED for byte in block[first:last])
        yield block[:first] + spoiled + block[last:]
