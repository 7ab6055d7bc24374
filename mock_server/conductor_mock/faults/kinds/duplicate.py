from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, Any

from werkzeug.wsgi import get_input_stream

from conductor_mock.errors import Refusal
from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.wire.answer import Answer

MAX_BODY = 128 << 20
"""Bytes of a request that are kept in memory for its second time; as much as a body of JSON may have by default."""

_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """The second answer: the request is carried out twice, as if a proxy had sent it again. A body of more than 128 MiB
    is refused (413), since it has to be kept for that.
    """

    kind = "duplicate"
    carried_out = 2

    def prepare(self, environ: dict[str, Any]) -> None:
        """Read the body, which comes only once, into something that can be read twice."""
        environ["wsgi.input"] = _kept(get_input_stream(environ))

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """Do it again."""
        first.close()
        exchange.environ["wsgi.input"].seek(0)
        return exchange.again()


def _kept(stream: IO[bytes]) -> io.BytesIO:
    """Everything that a stream holds. Refuses (413) what is larger than MAX_BODY."""
    kept = io.BytesIO()
    while block := stream.read(_BLOCK):
        kept.write(block)
        if kept.tell() > MAX_BODY:
            raise Refusal(
                413, f"duplicate keeps at most {MAX_BODY} bytes of a request, and this one has more"
            )
    kept.seek(0)
    return kept
