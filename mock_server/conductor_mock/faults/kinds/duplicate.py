from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conductor_mock.faults.bodies import kept
from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """The second answer: the request is carried out twice, as if a proxy had sent it again. A body of more than 128 MiB
    is refused (413), since it has to be kept for that.
    """

    kind = "duplicate"
    carried_out = 2

    def prepare(self, environ: dict[str, Any]) -> None:
        """Read the body, which comes only once, into something that can be read twice."""
        environ["wsgi.input"] = kept(environ, self.kind)

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """Do it again."""
        first.close()
        exchange.environ["wsgi.input"].seek(0)
        return exchange.again()
