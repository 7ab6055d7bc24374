"""An answer that is held back: what is made of it, and that its body is closed whatever becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from conductor_mock.faults.kinds.lost_answer import LostAnswer
from conductor_mock.faults.kinds.truncate import Truncate
from conductor_mock.faults.middleware import HIT, WIRE, FaultMiddleware
from conductor_mock.faults.rule import Hit
from conductor_mock.wire.answer import Answer


class Blocks:
    """A body that knows whether it was closed."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = blocks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def close(self) -> None:
        self.closed = True


def close(body: Iterable[bytes]) -> None:
    body.close()  # type: ignore[attr-defined]  # as a server does


def test_an_app_is_heard_out_and_nothing_is_sent() -> None:
    sent: list[Any] = []

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("500 OH", [])
        start_response("200 OK", [("A", "b")], None)
        return [b"c"]

    answer = Answer.of(app, {})
    assert (answer.status, answer.headers, answer.body, sent) == ("200 OK", [("A", "b")], [b"c"], [])
    assert answer.send(lambda *head: sent.append(head)) == [b"c"]
    assert sent == [("200 OK", [("A", "b")], None)]


def test_a_header_is_there_once_whatever_its_case() -> None:
    answer = Answer("200 OK", [("connection", "keep-alive"), ("A", "b")], [])
    assert answer.with_header("Connection", "close").headers == [("A", "b"), ("Connection", "close")]


@pytest.mark.parametrize("headers", [[], [("content-length", "5")]], ids=["not said", "said"])
def test_the_length_of_a_body_is_known_whether_or_not_it_is_said(headers: list[tuple[str, str]]) -> None:
    body = Blocks(b"ab", b"cde")
    answer, length = Answer("200 OK", headers, body).sized()
    assert (length, b"".join(answer.body)) == (5, b"abcde")
    assert [(name.lower(), value) for name, value in answer.headers] == [("content-length", "5")]
    close(answer.body)
    assert body.closed


def test_an_empty_body_gets_no_length_that_nobody_said() -> None:
    answer, length = Answer("204 NO CONTENT", [], []).sized()
    assert (length, answer.headers) == (0, [])


def test_what_is_made_of_a_body_closes_it() -> None:
    body = Blocks(b"abcd")
    answer = Answer("200 OK", [], body).with_body([b"x"])
    assert not body.closed
    close(answer.body)
    assert body.closed


class Gone:
    """A way back to a client that has hung up."""

    def free_with(self, event: threading.Event) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        raise ConnectionAbortedError


def served(fault: LostAnswer | Truncate, body: Blocks, *, wire: bool) -> Iterable[bytes]:
    """The answer of an app that marks every request for a fault."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[HIT] = Hit(1, fault.kind, fault)
        start_response("200 OK", [])
        return body

    return FaultMiddleware(app)({WIRE: Gone()} if wire else {}, lambda *_: None)


def test_an_answer_that_is_lost_is_closed() -> None:
    body = Blocks(b"abcd")
    with pytest.raises(ConnectionAbortedError):
        served(LostAnswer(), body, wire=True)
    assert body.closed


def test_without_a_way_back_to_the_client_the_answer_stays_as_it_is() -> None:
    body = Blocks(b"abcd")
    assert b"".join(served(Truncate(), body, wire=True)) == b"ab"
    assert served(Truncate(), body, wire=False) is body
