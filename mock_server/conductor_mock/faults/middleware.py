"""Where an answer that gets a fault is changed on its way out, whatever carries it: a socket, or the requests library.

The app marks a request that gets a fault (`marking`), and answers it as well as it can; here the fault has its say. A
server puts its `Wire` into the environ of each request. Where there is none (Flask's test client) the app's own answer
stands: a refusal that names the fault, or the true answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from conductor_mock.faults.fault import Exchange
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
            exchange = Exchange(environ[WIRE], environ, lambda: Answer.of(self._app, dict(environ)))
            environ[WIRE].free_with(hit.freed)
            try:
                answer = hit.fault.answer(answer, exchange)
            except BaseException:
                answer.close()
                raise
        return answer.send(start_response)
