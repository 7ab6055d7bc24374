"""Where an answer that gets a fault is changed on its way out, whatever carries it: a socket, or the requests library.

The app marks a request that gets a fault (`marking`), and answers it as well as it can; here the fault has its say. A
server puts its `Wire` into the environ of each request. Where there is none (Flask's test client) the app's own answer
stands: a refusal that names the fault, or the true answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.rule import Hit
from conductor_mock.wire.answer import Answer, App

HIT = "conductor_mock.fault"
WIRE = "conductor_mock.wire"
"""Keys of the environ."""


class FaultMiddleware:
    """The app, whose answers are changed where a fault wants it."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = Answer.of(self._app, environ)
        hit: Hit | None = environ.get(HIT)
        if hit is not None and WIRE in environ:
            # The mark goes along: what is carried out again gets no fault of its own.
            again = partial(_again, self._app, environ)
            exchange = Exchange(environ[WIRE], environ, again, hit.from_byte)
            environ[WIRE].free_with(hit.freed)
            try:
                if hit.fault.of_answer and hit.from_byte:
                    answer = _from_byte(hit.from_byte, answer, hit.fault, exchange)
                else:
                    answer = hit.fault.answer(answer, exchange)
            except BaseException:
                answer.close()
                raise
        return answer.send(start_response)


def _again(app: App, environ: dict[str, Any]) -> Answer:
    return Answer.of(app, dict(environ))


def _from_byte(place: int, first: Answer, fault: Fault, exchange: Exchange) -> Answer:
    """The right answer up to a byte of its body, what the fault makes of it from there on. A shorter one stays."""
    answer, length = first.sized()
    if length <= place or exchange.environ["REQUEST_METHOD"] == "HEAD":
        return answer
    return answer.with_body(_broken_later(answer, place, length, fault, exchange))


def _broken_later(
    answer: Answer, place: int, length: int, fault: Fault, exchange: Exchange
) -> Iterator[bytes]:
    blocks = iter(answer.body)
    sent, rest = 0, b""
    while sent < place:
        block = next(blocks, b"")
        if not block:
            return
        whole, rest = block[: place - sent], block[place - sent :]
        sent += len(whole)
        yield whole
    left = Answer(answer.status, answer.headers, chain((rest,), blocks)).with_header(
        "Content-Length", str(length - place)
    )
    for block in fault.answer(left, exchange).body:
        sent += len(block)
        yield block
    if sent < length:  # the head is out, and has promised more
        exchange.wire.close()
