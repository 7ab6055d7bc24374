"""An answer as a value: the one place where an app's `start_response` is held back.

Whoever wraps the app (to change an answer, to read what is left of a request first, to call it without a socket) takes
the answer with `Answer.of` and passes it on with `send`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered, and nothing of it sent: `status` such as "200 OK", headers, the body's blocks."""

    status: str
    headers: Headers
    body: Iterable[bytes]
    exc_info: Any = None

    @classmethod
    def of(cls, app: App, environ: dict[str, Any]) -> Answer:
        """Call an app. It must call `start_response` before it returns, as Flask does, and never `write`."""
        held: list[Any] = []

        def hold(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            held[:] = [status, headers, exc_info]
            return _no_write

        body = app(environ, hold)
        status, headers, exc_info = held
        return cls(status, headers, body, exc_info)

    def send(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass it on, as an app does that answers so."""
        start_response(self.status, self.headers, self.exc_info)
        return self.body

    def close(self) -> None:
        """Give back what the body holds; for an answer that is not sent."""
        _closing(self.body)()

    def with_header(self, name: str, value: str) -> Answer:
        """The same with this header in place of any of that name."""
        others = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        return replace(self, headers=[*others, (name, value)])

    def with_body(self, body: Iterable[bytes]) -> Answer:
        """The same with blocks that are made of the old body, which is closed with them."""
        from werkzeug.wsgi import ClosingIterator  # commands know the faults without a web framework

        return replace(self, body=ClosingIterator(body, _closing(self.body)))

    def sized(self) -> tuple[Answer, int]:
        """The answer and the length of its body in bytes, which is read to learn it where no header tells."""
        for name, value in self.headers:
            if name.lower() == "content-length":
                return self, int(value)
        content = b"".join(self.body)
        whole = self.with_body([content])
        return whole.with_header("Content-Length", str(len(content))) if content else whole, len(content)


def _closing(body: Iterable[bytes]) -> Callable[[], None]:
    close: Callable[[], None] = getattr(body, "close", lambda: None)
    return close


def _no_write(_: bytes) -> object:
    raise NotImplementedError("the app answers with an iterable, never with write()")
