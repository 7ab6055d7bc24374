from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import whole_number
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Truncate(Fault):
    """A head that promises the whole body, so many bytes of it, a closed connection."""

    kind = "truncate"
    of_answer = True
    bytes: int | None = whole_number(
        default=None, least=0, most=1 << 40, meaning="how many to send", otherwise="half of them"
    )

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """Promise more than is sent."""
        whole_answer, length = first.sized()
        kept = length // 2 if self.bytes is None else self.bytes
        return whole_answer.with_body(_cut(whole_answer.body, kept)).with_header("Connection", "close")


def _cut(body: Iterable[bytes], size: int) -> Iterator[bytes]:
    for block in body:
        yield block[:size]
        size -= len(block)
        if size <= 0:
            return
