"""What a fault does to an answer on its way out, whatever carries it: a socket, or the requests library in process.

The app marks a request that gets a fault, and answers it as well as it can; here the answer is held back, cut, spoiled
or lost. A server puts its `Wire` into the environ of each request. Where there is none (Flask's test client) nothing
can be broken, and the app's own answer stands: a refusal that names the fault, or the true answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Protocol

from werkzeug.wsgi import ClosingIterator

from conductor_mock.faults.rules import Fault

FAULT = "conductor_mock.fault"
WIRE = "conductor_mock.wire"
"""Keys of the environ."""

GARBAGE = b"\x16\x03 this is not HTTP\r\n\r\n"
FLIPPED = 0x80
"""Put into a byte it makes ASCII, and so every JSON of ours, unreadable."""

Headers = list[tuple[str, str]]


class Wire(Protocol):
    """The way back to the client. What never returns raises an error that its server takes for a lost client."""

    def read_rest(self) -> None:
        """Read what the app left of the request's body."""

    def hold_back(self, seconds: float) -> None:
        """Let wall time pass, less if the client goes away."""

    def stall(self, seconds: float) -> NoReturn:
        """Say nothing for so long, or until the client goes away; then close."""

    def reset(self) -> NoReturn:
        """Break the connection with a TCP reset."""

    def close(self) -> NoReturn:
        """Close the connection."""

    def garble(self) -> NoReturn:
        """Send something that is not HTTP, and close."""


class Breaking:
    """The app, whose answers are broken where a fault wants it."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if WIRE not in environ:
            return self._app(environ, start_response)
        held: list[Any] = []
        body = self._app(environ, lambda *answer: held.append(answer))
        status, headers, *exc_info = held[-1]
        fault = environ.get(FAULT)
        if fault is not None:
            headers, body = break_answer(fault, headers, body, environ[WIRE])
        start_response(status, headers, *exc_info)
        return body


def break_answer(
    fault: Fault, headers: Headers, body: Iterable[bytes], wire: Wire
) -> tuple[Headers, Iterable[bytes]]:
    """The headers and body to send instead; does not return where there is nothing to send."""
    close: Callable[[], None] = getattr(body, "close", lambda: None)
    try:
        if fault.kind != "reset" or fault.options["read_body"]:
            wire.read_rest()
        _without_answer(fault, wire)
    except BaseException:
        close()
        raise
    if fault.kind == "truncate":
        return _truncated(headers, body, fault.options["bytes"], close)
    if fault.kind == "corrupt":
        headers, body, length = _sized(headers, body)
        return headers, ClosingIterator(_flip(body, length // 2, fault.options["bytes"]), close)
    return headers, body


def _without_answer(fault: Fault, wire: Wire) -> None:
    """Do what a fault does before, or instead of, an answer."""
    if fault.kind == "delay":
        wire.hold_back(fault.options["seconds"])
    elif fault.kind == "stall":
        wire.stall(fault.options["seconds"])
    elif fault.kind == "reset":
        wire.reset()
    elif fault.kind == "lost_answer":
        wire.close()
    elif fault.kind == "garble":
        wire.garble()


def _truncated(
    headers: Headers, body: Iterable[bytes], wanted: int | None, close: Callable[[], None]
) -> tuple[Headers, Iterable[bytes]]:
    """The head promises the whole body, and the connection is closed after some of it."""
    headers, body, length = _sized(headers, body)
    kept = length // 2 if wanted is None else wanted
    headers = [pair for pair in headers if pair[0].lower() != "connection"]
    return [*headers, ("Connection", "close")], ClosingIterator(_cut(body, kept), close)


def _sized(headers: Headers, body: Iterable[bytes]) -> tuple[Headers, Iterable[bytes], int]:
    """The answer with its length, which is found by reading it where no header tells."""
    for name, value in headers:
        if name.lower() == "content-length":
            return headers, body, int(value)
    content = b"".join(body)
    return [*headers, ("Content-Length", str(len(content)))] if content else headers, [content], len(content)


def _cut(body: Iterable[bytes], size: int) -> Iterator[bytes]:
    for block in body:
        yield block[:size]
        size -= len(block)
        if size <= 0:
            return


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
