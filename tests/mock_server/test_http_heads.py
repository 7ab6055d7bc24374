"""Requests as RFC 9110 and 9112 allow and forbid them, over a raw socket; generated ones beside h11, a second one."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, cast

import h11
import pytest
from cheroot.server import KnownLengthRFile
from hypothesis import event, example, given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from conductor_mock.app import create_app
from conductor_mock.auth.signing import Grant
from conductor_mock.context import service_of
from conductor_mock.serving.framing import Body, Request
from conductor_mock.serving.head import (
    Arriving,
    HeadError,
    Lines,
    _request_line,
    read_head,
    read_request_line,
)
from conductor_mock.serving.patience import Limits
from conductor_mock.serving.recurring import Recurring
from conductor_mock.serving.server import MAX_HEAD_BYTES, Server
from conductor_mock.serving.streams import SocketConnection
from conductor_mock.settings import Settings
from support.served import RawConnection

OPEN, CLOSED = False, True
HOST = "Host: 127.0.0.1"
JSON = "Content-Type: application/json"
LIMITS = Limits.of(Settings(ephemeral=True))
SERVED = 404
"""What a request for /nowhere gets that was read: nobody but the router had something to say."""
LONG = "x" * MAX_HEAD_BYTES


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(create_app(Settings(ephemeral=True, speed=0))) as started:
        yield started


def get(*fields: str, target: str = "/nowhere", version: str = "HTTP/1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} {version}", *fields, "", ""]).encode("latin-1")


def post(*fields: str, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """A write of the control API, which answers 200 once it has read the JSON that it wants: `{"speed": 0}`."""
    return get(HOST, JSON, *fields, target="/_mock/clock", version=version, method="POST") + body


GOOD = b'{"speed": 0}'
CHUNKED = "Transfer-Encoding: chunked"


def chunks(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b""])


def cases(status: int, closed: bool, *requests: bytes) -> list[tuple[bytes, int, bool]]:
    return [(request, status, closed) for request in requests]


LINES = [
    *cases(
        SERVED,
        OPEN,
        get(HOST),
        b"\r\n" + get(HOST),
        get(HOST, target="//nowhere"),
        get(HOST, target="///no//where"),
        get(HOST, target="/nowhere?"),
        get(HOST, target="/nowhere?a=b?c"),
        get(HOST, target="/nowhere?num_lines[]=0"),
        get(HOST, target="/no%2Fwhere%20%FF%zz"),
        get(HOST, target="/nowhere;a=1,b"),
        get(HOST, target="/:@!$&'()*+,;=-._~"),
        get(HOST, target="*", method="OPTIONS"),
        get(HOST, target="http://127.0.0.1/nowhere"),
        get(HOST, target="HTTP://127.0.0.1:80/nowhere?a"),
        get(HOST, target="http://[::1]:8089/nowhere"),
        get(HOST, target="http://elsewhere.example/nowhere"),
        get(HOST, version="HTTP/1.2"),
        get(HOST, version="HTTP/1.9"),
        get(HOST, method="PROPFIND"),
        get(HOST, method="A!#$%&'*+-.^_`|~9"),
    ),
    *cases(200, OPEN, get(HOST, target="http://127.0.0.1"), get(HOST, target="http://127.0.0.1?a")),
    *cases(
        400,
        CLOSED,
        b"\r\n\r\n" + get(HOST),
        b" " + get(HOST),
        b"GET /nowhere\r\n" + HOST.encode() + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /nowhere HTTP/1.1\n" + HOST.encode() + b"\n\n",
        b"GET /nowhere HTTP/1.1\r\r\n\r\n",
        b"GET /nowhere HTTP/1.1\rHost: 127.0.0.1\r\n\r\n",
        get(HOST, target=" /nowhere"),
        get(HOST, target="/no where"),
        get(HOST, target="/nowhere\t"),
        get(HOST, target="/nowhere\x00"),
        get(HOST, target="/nowh\xe9re"),
        get(HOST, target="/nowhere?\xff"),
        get(HOST, target="/nowhere#there"),
        get(HOST, target="/nowhere?a#there"),
        get(HOST, target="nowhere"),
        get(HOST, target="*"),
        get(HOST, target="?a"),
        get(HOST, target="127.0.0.1:80"),
        get(HOST, target="mailto:kim@example.com"),
        get(HOST, target="http:///nowhere"),
        get(HOST, target="http://:80/nowhere"),
        get(HOST, target="http://kim@127.0.0.1/nowhere"),
        get(HOST, target="http://127.0.0.1:http/nowhere"),
        get(HOST, target="http://a#b"),
        get(HOST, method="G@T"),
        get(HOST, method=""),
        get(HOST, method="G\x7fT"),
        get(HOST, version="http/1.1"),
        get(HOST, version="HTTP/1"),
        get(HOST, version="HTTP/1.10"),
        get(HOST, version="HTTP/01.1"),
        get(HOST, version="HTTP/+1.1"),
        get(HOST, version="HTTP/1,1"),
        get(HOST, version="HTTP/1.1 "),
        get(HOST, version=" HTTP/1.1"),
        get(HOST, version="HTTPS/1.1"),
    ),
    *cases(421, CLOSED, get(HOST, target="https://127.0.0.1/nowhere"), get(HOST, target="ftp://127.0.0.1/")),
    *cases(501, CLOSED, get(HOST, method="get"), get(HOST, target="a.example:443", method="CONNECT")),
    *cases(505, CLOSED, get(HOST, version="HTTP/2.0"), get(HOST, version="HTTP/0.9")),
    *cases(414, CLOSED, get(HOST, target=f"/{LONG}")),
]

FIELDS = [
    *cases(
        SERVED,
        OPEN,
        get("host:127.0.0.1"),
        get("HOST:\t 127.0.0.1 \t"),
        get("Host: localhost:8089"),
        get("Host: farm_1.local"),
        get("Host: %41.example"),
        get("Host: [::1]:8089"),
        get("Host: [v1.a:b]"),
        get("Host:"),
        get("Host: a:"),
        get(HOST, "X-Empty:"),
        get(HOST, "X-Blank: \t "),
        get(HOST, "X-Text: a b\tc: \xe9"),
        get(HOST, "!#$%&'*+-.^_`|~9: a"),
        get(HOST, "Accept: a", "Accept: b"),
        get(HOST, "X-Any: a", "x-any: b"),
        get(HOST, "User-Agent: a", "User-Agent: b"),
        get(HOST, "Content_Length: 5"),
        get(HOST, "Transfer_Encoding: chunked"),
        get(HOST, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"),
        get(HOST, f"X-Long: {LONG[:60_000]}"),
        *(get(HOST, *(f"X-{number}: a" for number in range(count))) for count in (100, 1000)),
    ),
    *cases(
        400,
        CLOSED,
        get(),
        get("X: a"),
        get("Host : 127.0.0.1"),
        get(HOST, HOST),
        get(HOST, "host: 127.0.0.1"),
        get(HOST, "Host: evil.example"),
        get("Host: a, b"),
        get("Host: a b"),
        get("Host: a/b"),
        get("Host: kim@a"),
        get("Host: a:b"),
        get("Host: a:80:80"),
        get("Host: [::1"),
        get("Host: ::1"),
        get("Host: %zz"),
        get("Host: caf\xe9"),
        get("X: a", target="http://127.0.0.1/nowhere"),
        get(HOST, HOST, version="HTTP/1.0"),
        get(HOST, "X-Folded: a", " b"),
        get(HOST, "X-Folded: a", "\tb"),
        get(HOST, "X-Folded: a", " "),
        get(HOST, CHUNKED, " , identity"),
        get(" X: a", HOST),
        get(HOST, "X : a"),
        get(HOST, "X\t: a"),
        get(HOST, ": a"),
        get(HOST, "X"),
        get(HOST, "X y: a"),
        get(HOST, "X(y): a"),
        get(HOST, "X\xe9: a"),
        get(HOST, "X\x00: a"),
        get(HOST, "X: a\x00b"),
        get(HOST, "X: a\rb"),
        get(HOST, "X: a\nY: b"),
        get(HOST, "X: a\x0bb"),
        get(HOST, "X: a\x7f"),
        get(HOST, "X: a\x1b[31m"),
        get(HOST, "Authorization: Bearer a", "Authorization: Bearer b"),
        get(HOST, "Range: bytes=0-1", "Range: bytes=2-3"),
        get(HOST, "Idempotency-Key: a", "idempotency-key: a"),
        get(HOST, "Origin: http://127.0.0.1", "Origin: null"),
        post(JSON, "Content-Length: 2", body=b"{}"),
    ),
    *cases(431, CLOSED, get(HOST, f"X: {LONG}"), get(HOST, *(["X: aaaaaaaaaaaa"] * 5000))),
]

CONNECTIONS = [
    *cases(
        SERVED,
        CLOSED,
        get(HOST, "Connection: close"),
        get(HOST, "Connection: Close"),
        get(HOST, "connection:CLOSE"),
        get(HOST, "Connection: TE, close"),
        get(HOST, "Connection: close, TE"),
        get(HOST, "Connection: ,close ,"),
        get(HOST, "Connection: keep-alive, close"),
        get(HOST, "Connection: TE", "Connection: close"),
        get(HOST, "Connection: close", "Connection: keep-alive"),
        get(HOST, version="HTTP/1.0"),
        get(version="HTTP/1.0"),
        get(HOST, "Connection: TE", version="HTTP/1.0"),
        get(HOST, "Connection: keep-alive, close", version="HTTP/1.0"),
        get(HOST, "Connection: keepalive", version="HTTP/1.0"),
    ),
    *cases(
        SERVED,
        OPEN,
        get(HOST, "Connection: keep-alive"),
        get(HOST, "Connection: TE"),
        get(HOST, "Connection: closed"),
        get(HOST, "Connection: close-not"),
        get(HOST, "Connection:"),
        get(HOST, "Connection: Keep-Alive", version="HTTP/1.0"),
        get(HOST, "Connection: keep-alive", version="HTTP/1.0"),
        get("Connection: KEEP-ALIVE, TE", version="HTTP/1.0"),
        get(HOST, "Connection: TE", "Connection: keep-alive", version="HTTP/1.0"),
        get(HOST, "Expect: 100-continue"),
        get(HOST, "Expect: 100-Continue", "Content-Length: 0"),
        get(HOST, "Expect: , "),
        get(HOST, "Connection: keep-alive", "Expect: something", version="HTTP/1.0"),
    ),
    *cases(
        417,
        CLOSED,
        get(HOST, "Expect: something"),
        get(HOST, "Expect: 100-continue, something"),
        get(HOST, "Expect: 200-ok"),
    ),
]

BODIES = [
    *cases(
        200,
        OPEN,
        post("Content-Length: 12", body=GOOD),
        post("content-length:\t12 ", body=GOOD),
        post("Content-Length: 0012", body=GOOD),
        post("Content-Length: 12, 12", body=GOOD),
        post("Content-Length: 12", "Content-Length: 12", body=GOOD),
        post(CHUNKED, body=chunks(b"c", GOOD, b"0", b"")),
        post(CHUNKED, body=chunks(b"C", GOOD, b"0", b"")),
        post(CHUNKED, body=chunks(b"000c", GOOD, b"000", b"")),
        post(CHUNKED, body=chunks(b"1", GOOD[:1], b"b", GOOD[1:], b"0", b"")),
        post(CHUNKED, body=chunks(b"c;a", GOOD, b"0;b=c", b"")),
        post(CHUNKED, body=chunks(b'c ; a="; b" ;c', GOOD, b"0", b"")),
        post(CHUNKED, body=chunks(b"c", GOOD, b"0", b"X-Trailer: 1", b"Content-Length: 5", b"")),
        post(CHUNKED, body=chunks(b"c", GOOD, b"0", *[b"X: 1"] * 99, b"")),
        post("transfer-encoding:CHUNKED", body=chunks(b"c", GOOD, b"0", b"")),
        post("Transfer-Encoding: , chunked ,", body=chunks(b"c", GOOD, b"0", b"")),
        post("Connection: keep-alive", "Content-Length: 12", body=GOOD, version="HTTP/1.0"),
        post("Content-Encoding: identity", "Content-Length: 12", body=GOOD),
    ),
    *cases(200, CLOSED, post("Content-Length: 12", body=GOOD, version="HTTP/1.0")),
    *cases(
        400,
        CLOSED,
        post("Content-Length: 11", "Content-Length: 12", body=GOOD),
        post("Content-Length: 12, 13", body=GOOD),
        post("Content-Length: 12,", body=GOOD),
        post("Content-Length:", body=GOOD),
        post("Content-Length: -12", body=GOOD),
        post("Content-Length: +12", body=GOOD),
        post("Content-Length: 1_2", body=GOOD),
        post("Content-Length: 0xc", body=GOOD),
        post("Content-Length: 12.0", body=GOOD),
        post("Content-Length: 1 2", body=GOOD),
        post("Content-Length: \xb2", body=GOOD),
        post("Content-Length: " + "9" * 19, body=GOOD),
        post("Content-Length: " + "9" * 5000, body=GOOD),
        post("Content-Length : 12", body=GOOD),
        post("Content-Length: 12", CHUNKED, body=chunks(b"c", GOOD, b"0", b"")),
        post(CHUNKED, "Content-Length: 12", body=chunks(b"c", GOOD, b"0", b"")),
        post(CHUNKED, "Content-Length: x", body=chunks(b"c", GOOD, b"0", b"")),
        post("Transfer-Encoding:", body=GOOD),
        post("Transfer-Encoding: gzip", body=GOOD),
        post("Transfer-Encoding: identity", body=GOOD),
        post("Transfer-Encoding: chunked, gzip", body=GOOD),
        post("Transfer-Encoding: chunked, chunked", body=GOOD),
        post(CHUNKED, CHUNKED, body=GOOD),
        post(CHUNKED, "Transfer-Encoding: identity", body=GOOD),
        post("Transfer-Encoding: chunked;q=1", body=GOOD),
        post('Transfer-Encoding: "chunked"', body=GOOD),
        post("Transfer-Encoding: xchunked", body=GOOD),
        post("Transfer-Encoding: \x0bchunked", body=GOOD),
        post("Transfer-Encoding : chunked", body=GOOD),
        post("Transfer-Encoding:", " chunked", body=GOOD),
        post(CHUNKED, body=chunks(b"c", GOOD, b"0", b""), version="HTTP/1.0"),
        post(CHUNKED, "Connection: keep-alive", body=chunks(b"c", GOOD, b"0", b""), version="HTTP/1.0"),
        *(
            post(CHUNKED, body=body)
            for body in (
                b"c\n" + GOOD + b"\n0\n\n",
                b"c\r\n" + GOOD + b"\n0\r\n\r\n",
                b"c\r\n" + GOOD + b"\r0\r\n\r\n",
                b"c\r" + GOOD + b"\r\n0\r\n\r\n",
                chunks(b"d", GOOD, b"0", b""),
                chunks(b"b", GOOD, b"0", b""),
                chunks(b"", GOOD, b"0", b""),
                chunks(b" c", GOOD, b"0", b""),
                chunks(b"c ", GOOD, b"0", b""),
                chunks(b"+c", GOOD, b"0", b""),
                chunks(b"-c", GOOD, b"0", b""),
                chunks(b"0xc", GOOD, b"0", b""),
                chunks(b"1_2", GOOD, b"0", b""),
                chunks(b"c,", GOOD, b"0", b""),
                chunks(b"\x0bc", GOOD, b"0", b""),
                chunks(b"c;a\x00", GOOD, b"0", b""),
                chunks(b"c;a\rb", GOOD, b"0", b""),
                chunks(b"c;" + b"a" * 5000, GOOD, b"0", b""),
                chunks(b"c" + b"0" * 16, GOOD, b"0", b""),
                chunks(b"c", GOOD, b"0", b"no trailer", b""),
                chunks(b"c", GOOD, b"0", b"X : 1", b""),
                chunks(b"c", GOOD, b"0", b"X: 1", b" folded", b""),
                chunks(b"c", GOOD, b"0", *[b"X: 1"] * 101, b""),
            )
        ),
    ),
    *cases(
        501,
        CLOSED,
        post("Transfer-Encoding: gzip, chunked", body=GOOD),
        post("Transfer-Encoding: identity, chunked", body=GOOD),
        post("Transfer-Encoding: gzip", CHUNKED, body=GOOD),
    ),
]

CORPUS = [*LINES, *FIELDS, *CONNECTIONS, *BODIES]


def test_the_corpus_is_what_it_is_called() -> None:
    assert len({request for request, _, _ in CORPUS}) == len(CORPUS) >= 200


@pytest.mark.parametrize(
    ("request_", "status", "closed"),
    CORPUS,
    ids=[f"{number} {request[:70]!r}" for number, (request, _, _) in enumerate(CORPUS)],
)
def test_a_request_is_read_or_refused_as_the_rfcs_say(
    server: Server, request_: bytes, status: int, closed: bool
) -> None:
    """The status, and what becomes of the connection: one that is kept serves the next request."""
    with RawConnection(server.port) as connection:
        connection.send(request_)
        answer = connection.answer(request_.partition(b" ")[0].decode("latin-1"))

        assert answer.status == status, answer
        if status >= 400:
            assert set(answer.json()) == {"status", "message", "errors"}
        assert (answer.headers.get("Connection") == "close") == closed, answer.headers
        if closed:
            assert connection.is_closed()
        else:
            connection.send(get(HOST, "Connection: close", target="/_mock/health"))
            assert connection.answer().status == 200


BROKEN_OFF = {
    "a whole JSON value": post("Content-Length: 13", body=GOOD),
    "half a JSON value": post("Content-Length: 12", body=GOOD[:5]),
    "nothing": post("Content-Length: 12"),
    "a long length": post("Content-Length: " + "9" * 18, body=GOOD),
    "no last chunk": post(CHUNKED, body=b"c\r\n" + GOOD + b"\r\n"),
    "no end of a chunk": post(CHUNKED, body=b"c\r\n" + GOOD),
    "half a chunk": post(CHUNKED, body=b"d\r\n" + GOOD),
    "half a size": post(CHUNKED, body=b"c"),
    "no size": post(CHUNKED),
    "no end of the trailers": post(CHUNKED, body=b"c\r\n" + GOOD + b"\r\n0\r\n"),
    "half a trailer": post(CHUNKED, body=b"c\r\n" + GOOD + b"\r\n0\r\nX: 1"),
    "half a head": get(HOST)[:-2],
    "half a header": get(HOST)[:-6],
    "half a request line": b"GET /now",
}


@pytest.mark.parametrize("request_", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_a_request_that_breaks_off_is_not_carried_out(server: Server, request_: bytes) -> None:
    """RFC 9112 8: a message is complete when its framing says so, whatever its content looks like."""
    with RawConnection(server.port) as connection:
        connection.send(request_)
        connection.half_close()
        answer = connection.answer()

        assert answer.status in (400, 413), answer
        assert connection.is_closed()


@pytest.mark.parametrize("value", ["100-continue", "100-Continue", "100-CONTINUE", ", 100-continue"])
def test_who_waits_for_it_is_told_to_go_on_before_the_body(server: Server, value: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send(post(f"Expect: {value}", "Content-Length: 12"))
        assert connection.line() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.line() == b"\r\n"
        connection.send(GOOD)
        assert connection.answer().status == 200


def test_an_old_client_is_not_told_to_go_on(server: Server) -> None:
    with RawConnection(server.port) as connection:
        connection.send(post("Expect: 100-continue", "Content-Length: 12", body=GOOD, version="HTTP/1.0"))
        assert connection.line().startswith(b"HTTP/1.1 200 ")


def test_a_refusal_of_a_head_request_has_no_body(server: Server) -> None:
    with RawConnection(server.port) as connection:
        connection.send(get(HOST, HOST, method="HEAD"))
        head, _, body = connection.rest().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert body == b""


@pytest.mark.parametrize("fields", [(HOST, HOST), (HOST, CHUNKED), (HOST, "X : a")])
def test_who_still_sends_a_body_sees_why_the_head_was_refused(
    server: Server, fields: tuple[str, ...]
) -> None:
    """RFC 9112 9.6: a connection that is closed with bytes unread is reset, and the answer lost."""
    size = 8_000_000
    with RawConnection(server.port) as connection:
        connection.send(get(*fields, f"Content-Length: {size}", method="PUT") + bytes(size))
        assert connection.answer().status == 400
        assert connection.is_closed()


@pytest.mark.parametrize("begun", [b"zz\r\n", b"5\r\nhello and more\r\n"])
def test_who_still_sends_chunks_sees_why_they_were_refused(server: Server, begun: bytes) -> None:
    with RawConnection(server.port) as connection:
        connection.send(post(CHUNKED, body=begun) + bytes(8_000_000))
        assert connection.answer().status == 400
        assert connection.is_closed()


def test_the_host_of_an_absolute_target_wins_over_the_header(server: Server) -> None:
    """RFC 9112 3.2.2, and no way around the guard of the control API."""
    for host, target, status in (
        ("evil.example", "http://127.0.0.1/_mock/health", 200),
        ("127.0.0.1", "http://evil.example/_mock/health", 403),
    ):
        with RawConnection(server.port) as connection:
            connection.send(get(f"Host: {host}", target=target))
            assert connection.answer().status == status


def test_a_name_with_an_underscore_is_no_name_with_a_hyphen(server: Server) -> None:
    with RawConnection(server.port) as connection:
        connection.send(
            post("Content_Length: 1", "Content_Type: text/plain", "Content-Length: 12", body=GOOD)
        )
        assert connection.answer().status == 200


def test_requests_that_are_sent_at_once_are_answered_in_turn(server: Server) -> None:
    asked = [
        post(CHUNKED, body=chunks(b"c", GOOD, b"0", b"")),
        get(HOST),
        post("Content-Length: 12", body=GOOD),
        get(HOST, "Connection: close", target="/_mock/health"),
        get(HOST),
    ]
    with RawConnection(server.port) as connection:
        connection.send(b"".join(asked))
        # one reader of the socket: what it read too much belongs to the next answer
        statuses = re.findall(rb"HTTP/1\.1 (\d+) ", connection.rest())

    assert statuses == [b"200", b"404", b"200", b"200"]


@pytest.mark.parametrize(
    ("line", "word"),
    [("X: a\r\n b", "folded"), ("X : a", "colon"), (f"{CHUNKED}\r\nContent-Length: 5", "not both")],
)
def test_a_refusal_says_what_is_wrong(line: str, word: str) -> None:
    lines = Lines(io.BytesIO(get(HOST, line)), MAX_HEAD_BYTES)
    begun = read_request_line(lines)
    assert begun is not None
    with pytest.raises(HeadError, match=word):
        read_head(lines, begun)


@pytest.mark.parametrize(
    ("target", "authority", "path", "query"),
    [
        ("/a%20b%2fc?d=%20?e", None, b"/a b%2Fc", b"d=%20?e"),
        ("http://a.example:80/b?c", b"a.example:80", b"/b", b"c"),
        ("HTTP://a.example", b"a.example", b"/", b""),
        ("http://a.example?c", b"a.example", b"/", b"c"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_target_has_a_path_and_a_query_and_maybe_names_a_host(
    method: str, target: str, authority: bytes | None, path: bytes, query: bytes
) -> None:
    """RFC 9112 3.2; an empty path is that of the root."""
    line = _request_line(f"{method} {target} HTTP/1.1".encode())
    assert (line.authority, line.path, line.query) == (authority, path, query)


def test_a_refusal_shows_the_beginning_of_what_was_sent() -> None:
    with pytest.raises(HeadError) as refused:
        _request_line(b"x\xe9" * 50)
    shown = repr("x\xe9" * 30)
    assert str(refused.value) == f"no request line: {shown}; it is 'METHOD /path HTTP/1.1' in printable ASCII"


# Generated requests, beside h11 and beside what the RFC says where h11 is more generous.


@dataclass(frozen=True)
class Read:
    """What a reader made of bytes: the requests in them as (method, target, body, goes on), and how it ended."""

    requests: tuple[tuple[bytes, bytes, bytes, bool], ...]
    is_refused: bool


def ours(data: bytes) -> Read:
    """As the server reads a connection, without the server."""
    stream = io.BytesIO(data)
    requests: list[tuple[bytes, bytes, bytes, bool]] = []
    while True:
        lines = Lines(stream, MAX_HEAD_BYTES)
        try:
            line = read_request_line(lines)
            if line is None:
                return Read(tuple(requests), is_refused=False)
            head = read_head(lines, line)
            body = Body(
                SimpleNamespace(rfile=stream)
                if head.length is None
                else KnownLengthRFile(stream, head.length),
                chunked=head.length is None,
            ).read()
        except (HeadError, BadRequest):
            return Read(tuple(requests), is_refused=True)
        requests.append((line.method, line.target, body, head.keeps_alive))
        if not head.keeps_alive:
            return Read(tuple(requests), is_refused=False)


def as_served(data: bytes, cut: int) -> Read:
    """The same by a connection of the server, to which the data comes in two pieces."""
    client, served = socket.socketpair()
    listener: Any = SimpleNamespace(
        max_request_header_size=MAX_HEAD_BYTES, ssl_adapter=None, peercreds_enabled=False,
        peercreds_resolve_enabled=False,
    )  # fmt: skip
    requests: list[tuple[bytes, bytes, bytes, bool]] = []
    with client:
        connection = SocketConnection(listener, served, LIMITS, cast(Any, None))
        client.sendall(data[:cut])
        goes_on = connection.rfile.take() if cut else True
        is_enough = connection.has_head() if cut else False
        client.sendall(data[cut:])
        client.shutdown(socket.SHUT_WR)
        while True:
            while not is_enough and goes_on:
                goes_on = connection.rfile.take()
                is_enough = connection.has_head()
            request: Any = Request(listener, connection)
            request.parse_request()
            if not request.ready:
                connection.lingers = False
                connection.close()
                return Read(
                    tuple(requests),
                    is_refused=client.recv(MAX_HEAD_BYTES)[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5"),
                )
            length = None if request.chunked_read else int(request.inheaders.get(b"Content-Length", 0))
            stream: Any = connection.rfile
            try:
                body = Body(
                    SimpleNamespace(rfile=stream) if length is None else KnownLengthRFile(stream, length),
                    chunked=length is None,
                ).read()
            except BadRequest:
                connection.close()
                return Read(tuple(requests), is_refused=True)
            requests.append((request.method, request.uri, body, not request.close_connection))
            if request.close_connection:
                connection.close()
                return Read(tuple(requests), is_refused=False)
            connection.renew()
            is_enough = connection.rfile.has_data() and connection.has_head()


def theirs(data: bytes) -> Read:
    requests: list[tuple[bytes, bytes, bytes, bool]] = []
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    peer.receive_data(data)
    peer.receive_data(b"")
    try:
        while True:
            begun = peer.next_event()
            if not isinstance(begun, h11.Request):
                return Read(tuple(requests), is_refused=False)
            body = b""
            while isinstance(event_ := peer.next_event(), h11.Data):
                body += event_.data
            assert isinstance(event_, h11.EndOfMessage)
            peer.send(h11.Response(status_code=204, headers=[]))
            peer.send(h11.EndOfMessage())
            goes_on = peer.our_state is h11.DONE
            requests.append((begun.method, begun.target, body, goes_on))
            if not goes_on:
                return Read(tuple(requests), is_refused=False)
            peer.start_next_cycle()
    except h11.RemoteProtocolError:
        return Read(tuple(requests), is_refused=True)


BLANKS = st.sampled_from(["", " ", "\t", "  ", " \t "])
NAMES = st.sampled_from(
    ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "X-Any", "Content_Length", "TE"]
)
VALUES = st.sampled_from(
    [
        *("a.example", "a.example:80", "[::1]", "", "5", "0", "05", "5, 5", "5,6", "+5", "-5", "5_0", "many"),
        *("chunked", "Chunked", "identity", "gzip, chunked", "chunked, chunked", ", chunked", "xchunked"),
        *(
            "close",
            "Close",
            "keep-alive",
            "TE, close",
            "close, TE",
            "100-continue",
            "100-Continue",
            "\xe9",
            "\x00",
        ),
    ]
)


@st.composite
def fields(draw: st.DrawFn) -> str:
    """A header line, mostly one that fits its name, with blanks, case and colon as they come."""
    name, value = draw(
        st.one_of(
            st.sampled_from(
                [
                    ("Host", "a.example"),
                    ("Content-Length", "5"),
                    ("Transfer-Encoding", "chunked"),
                    ("Connection", "close"),
                    ("Connection", "keep-alive"),
                    ("X-Any", "1"),
                ]
            ),
            st.tuples(NAMES, VALUES),
        )
    )
    name = draw(st.sampled_from([name, name.lower(), name.upper()]))
    before = draw(st.sampled_from([""] * 20 + [" ", "\t"]))
    end = draw(st.sampled_from([""] * 20 + ["\r\n folded", "\r\n\t", "\r", "\x00"]))
    return f"{name}{before}:{draw(BLANKS)}{value}{draw(BLANKS)}{end}"


@st.composite
def chunked_bodies(draw: st.DrawFn) -> bytes:
    body = b""
    for data in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4)):
        size = draw(
            st.sampled_from([b"%x", b"%X", b"%04x", b"%x;a=b", b'%x ;a="b"', b"%x ", b" %x", b"0x%x", b"+%x"])
        )
        end = draw(st.sampled_from([b"\r\n"] * 15 + [b"\n", b"\r", b"", b"x\r\n"]))
        body += size % (len(data) + draw(st.sampled_from([0] * 20 + [1, -1]))) + end + data + end
    last = draw(st.sampled_from([b"0\r\n"] * 8 + [b"0000\r\n", b"0;a\r\n", b"0\n", b"", b"00x\r\n"]))
    trailers = draw(
        st.sampled_from([b""] * 8 + [b"X-Any: 1\r\n", b"X-Any : 1\r\n", b"Content-Length: 5\r\n"])
    )
    return body + last + trailers + draw(st.sampled_from([b"\r\n"] * 10 + [b"\n", b""]))


@st.composite
def requests_(draw: st.DrawFn) -> bytes:
    """One request or something like it, with a body that may fit its head."""
    method = draw(st.sampled_from(["GET", "POST", "POST", "PUT", "G@T", "HEAD"]))
    target = draw(st.sampled_from(["/", "/a?b=c", "//a", "/%2f", "/\xe9", "/a b", "/["]))
    version = draw(st.sampled_from(["1.1"] * 8 + ["1.0"] * 3 + ["1", "11", "1.1 ", "x"]))
    lines = [f"{method} {target} HTTP/{version}"]
    if draw(st.integers(0, 9)):
        lines.append("Host: a.example")
    lines += draw(st.lists(fields(), max_size=4))
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return head + draw(st.one_of(st.just(b""), st.just(b"hello"), chunked_bodies(), st.binary(max_size=20)))


STRICTER: dict[str, re.Pattern[bytes]] = {
    "a folded header (9112 5.2)": re.compile(rb"\r?\n[ \t]"),
    "a bare LF as an end (9112 2.2)": re.compile(rb"(?<!\r)\n"),
    "Transfer-Encoding in HTTP/1.0 (9112 6.1)": re.compile(
        rb"HTTP/1\.0(?s:.*)transfer-encoding", re.IGNORECASE
    ),
    "both framings (9112 6.3)": re.compile(
        rb"(?=(?s:.*)transfer-encoding)(?=(?s:.*)content-length)", re.IGNORECASE
    ),
    "another Host than a host (9112 3.2)": re.compile(
        rb"host:[ \t]*[^\r\n]*[^\w\r\n.:\[\] \t-]", re.IGNORECASE
    ),
    "another expectation (9110 10.1.1)": re.compile(rb"expect:[ \t]*(?!100-continue[ \t]*\r)", re.IGNORECASE),
    "a blank behind the size of a chunk (9112 7.1)": re.compile(rb"[0-9a-fA-F][ \t]+\r\n"),
    "a method that is not in capitals (9110 9.1)": re.compile(rb"[a-z][^ \r\n]* [^ \r\n]+ HTTP/"),
}
"""Where h11 goes on and this server need not: what is in the data then."""

MORE_GENEROUS: dict[str, re.Pattern[bytes]] = {
    "an empty line before a request (9112 2.2)": re.compile(rb"\r\n\r\n\r\n"),
    "an empty member of a list (9110 5.6.1)": re.compile(rb":[ \t]*,|,[ \t]*\r"),
    "a blank before an extension (9112 7.1.1)": re.compile(rb"[0-9a-fA-F] ;"),
}
"""Where h11 refuses and this server must not."""


def explained(reasons: dict[str, re.Pattern[bytes]], data: bytes) -> bool:
    found = [name for name, pattern in reasons.items() if pattern.search(data)]
    for name in found:
        event(name)
    return bool(found)


@given(st.lists(requests_(), min_size=1, max_size=3).map(b"".join))
@example(post("Content-Length: 13", body=GOOD))
@example(post(CHUNKED, body=chunks(b"c ", GOOD, b"0", b"")))
def test_two_readers_make_the_same_of_a_connection(data: bytes) -> None:
    """The same requests with the same bodies, the same end; else one of the rules above is in the data.

    Whatever both take is the same, so nothing that another reader took for one request is two here.
    """
    mine, other = ours(data), theirs(data)
    for one, two in itertools.zip_longest(mine.requests, other.requests):
        if one is None:
            assert mine.is_refused, (mine, other)
            assert explained(STRICTER, data), (mine, other)
            return
        if two is None:
            assert other.is_refused, (mine, other)
            assert explained(MORE_GENEROUS, data), (mine, other)
            return
        assert one[:3] == two[:3]
        if one[3] != two[3]:  # h11 closes after each request of HTTP/1.0, which it may (9112 9.3)
            assert one[3]
            assert re.search(rb"HTTP/1\.0(?s:.*)keep-alive", data, re.IGNORECASE)
            return
    if mine.is_refused != other.is_refused:
        assert explained(STRICTER if mine.is_refused else MORE_GENEROUS, data), (mine, other)


@given(st.lists(requests_(), min_size=1, max_size=2), st.integers(1, 3), st.integers(0, 400))
@example([get(HOST), get(HOST, target="http://other.example/")], 2, 0)
@example([get(HOST), get(HOST, version="HTTP/1.0")], 2, 30)
@example([get(HOST, f"Content-Length: {number}") + b"x" * number for number in (5, 3)], 1, 0)
def test_fields_that_come_again_mean_what_they_meant(sent: list[bytes], times: int, cut: int) -> None:
    """A connection remembers the fields of the request before, and reads the same of them in any piece they come."""
    data = b"".join(request * times for request in sent)
    assert as_served(data, min(cut, len(data))) == ours(data)


@pytest.mark.parametrize(
    ("line", "host"),
    [("GET / HTTP/1.1", b"a.example"), ("GET http://b.example/ HTTP/1.1", b"b.example")],
)
def test_fields_that_are_known_are_those_of_a_request_that_names_no_host(line: str, host: bytes) -> None:
    """That of the target wins over the field, and is no other request's."""
    block = b"Host: a.example\r\n\r\n"
    known = Recurring.read(_request_line(b"GET / HTTP/1.1"), block)
    asked = _request_line(line.encode())
    found = known if known.are_those_of(asked, block) else Recurring.read(asked, block)
    assert found.titled[b"Host"] == host
    assert found.may_be_kept(asked) == (host == b"a.example")
    assert not known.are_those_of(_request_line(b"GET / HTTP/1.0"), block)


@given(st.data())
def test_a_body_is_what_its_chunks_hold_however_they_are_cut_and_read(data: st.DataObject) -> None:
    """Sizes in any case and with zeros before them, extensions, trailers; read in blocks of any size."""
    parts = data.draw(st.lists(st.binary(min_size=1, max_size=50), max_size=6))
    extensions = st.sampled_from([b"", b";a", b" ; a=b", b'\t;a="b;c"', b";" + b"a" * 4000])
    sizes = st.sampled_from([b"%x", b"%X", b"%010x"])
    sent = b"".join(
        data.draw(sizes) % len(part) + data.draw(extensions) + b"\r\n" + part + b"\r\n" for part in parts
    )
    sent += b"0" + data.draw(extensions) + b"\r\n" + data.draw(st.sampled_from([b"", b"X: 1\r\n"])) + b"\r\n"
    stream: Any = io.BytesIO(sent + b"GET")
    body = Body(SimpleNamespace(rfile=stream), chunked=True)

    size = data.draw(st.integers(1, 60))
    assert b"".join(iter(lambda: body.read(size), b"")) == b"".join(parts)
    assert stream.read() == b"GET"
    cut = data.draw(st.integers(0, len(sent) - 1))
    with pytest.raises(BadRequest):
        Body(SimpleNamespace(rfile=io.BytesIO(sent[:cut])), chunked=True).read()


# Answers, as h11 reads them: one that is framed wrongly would be refused, or leave bytes behind.

ANSWERED: list[tuple[bytes, int]] = [
    (get(HOST), 404),
    (get(HOST, method="HEAD"), 404),
    (get(HOST, target="/_mock/health"), 200),
    (get(HOST, target="/_mock/health", method="HEAD"), 200),
    (get(HOST, target="/"), 200),
    (get(HOST, target="/", method="HEAD"), 200),
    (get(HOST, target="/jobs/", method="OPTIONS"), 401),
    (get(HOST, target="/jobs/", method="DELETE"), 405),
    (get(HOST, target="/jobs/", method="TRACE"), 405),
    (get(HOST, target="/api/v1/jobs"), 401),
    (get(HOST, target="/api/v1/jobs", method="HEAD"), 401),
    (post("Content-Length: 12", body=GOOD), 200),
    (post("Expect: 100-continue", "Content-Length: 12", body=GOOD), 200),
    (post("Content-Encoding: gzip", "Content-Length: 12", body=GOOD), 415),
    (get(HOST, target="/_mock/bundle"), 200),
    (get(HOST, target="/_mock/openapi.json"), 200),
    (get(HOST, "Connection: keep-alive", version="HTTP/1.0"), 404),
    (get(HOST, "Connection: keep-alive", target="/_mock/openapi.json", version="HTTP/1.0"), 200),
]


def downloads(server: Server) -> list[tuple[bytes, int]]:
    """Requests for a content that the account holds, which are answered in every way."""
    service = service_of(server._app)
    keys = service.keys
    account = service.accounts.sign_in(keys.client_id, keys.private_key)
    path = f"/objects/{account}/{hashlib.md5(b'hello').hexdigest()}"
    put, url = (
        service.signer.url("", Grant(method, place, None, 2_000_000_000))
        for method, place in (("PUT", path), ("GET", f"{path}/a.png"))
    )
    conditions = {
        "X: a": 200,
        "Range: bytes=1-2": 206,
        "Range: bytes=9-": 416,
        "If-None-Match: *": 304,
        'If-Match: "a"': 412,
        "Accept-Encoding: gzip": 200,
    }
    asked = [
        (get(HOST, condition, target=url, method=method), status)
        for condition, status in conditions.items()
        for method in ("GET", "HEAD")
        if method == "GET" or status not in (206, 416)
    ]
    stored = get(HOST, "Content-Length: 5", target=put, method="PUT") + b"hello"
    old = get(HOST, "Connection: keep-alive", target=url, version="HTTP/1.0")
    return [(stored, 200), (stored, 200), *asked, (old, 200)]


def test_answers_on_one_connection_are_framed_as_a_peer_reads_them(server: Server) -> None:
    asked = [*ANSWERED, *downloads(server), (get(HOST, "Connection: close"), 404)]
    with RawConnection(server.port) as connection:
        connection.send(b"".join(request for request, _ in asked))
        left = connection.rest()
    for request, status in asked:
        method = request.partition(b" ")[0]
        peer = h11.Connection(h11.CLIENT)
        peer.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        peer.send(h11.EndOfMessage())
        peer.receive_data(left)
        answer = peer.next_event()
        while isinstance(answer, h11.InformationalResponse):
            answer = peer.next_event()
        assert isinstance(answer, h11.Response)
        assert answer.status_code == status, request
        names = [name for name, _ in answer.headers]
        assert len(names) == len(set(names)), "no header comes twice"
        assert b"date" in names
        if status == 405:
            assert b"allow" in names
        if status == 401:
            assert b"www-authenticate" in names
        while isinstance(peer.next_event(), h11.Data):
            pass
        assert peer.their_state in (h11.DONE, h11.MUST_CLOSE), request
        left = bytes(peer.trailing_data[0])

    assert left == b""


def test_lines_of_a_head_may_have_as_many_bytes_as_are_read_and_no_more() -> None:
    too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    head = b"GET / HTTP/1.1\r\nHost: a\r\n"
    lines = Lines(io.BytesIO(head), len(head))
    assert [lines.next(over=too_large), lines.next(over=too_large)] == [b"GET / HTTP/1.1", b"Host: a"]
    with pytest.raises(EOFError):
        Lines(io.BytesIO(b""), 10).next(over=too_large)
    lines = Lines(io.BytesIO(head), len(head) - 1)
    lines.next(over=too_large)
    with pytest.raises(HeadError) as refused:
        lines.next(over=too_large)
    assert refused.value.status == too_large


ENOUGH = {
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n": True,
    b"\r\nGET / HTTP/1.1\r\n\r\n": True,
    b"GET / HTTP/1.1\n": True,
    b"\n": True,
    b"\r\n\r\n": True,
    b"hello\r\n": True,
    b"GET / HTTP/1.1\r\nno header\r\n": True,
    b"GET / HTTP/1.1\r\n X: a\r\n": True,
    b"GET / HTTP/1.1\r\nX: a\x00\r\n": True,
    b"GET / HTTP/3.0\r\n": True,
    b"x" * 101: True,
    b"GET / HTTP/1.1\r\nHost: x\r\n": False,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r": False,
    b"\r\n": False,
    b"hello": False,
    b"": False,
}


@pytest.mark.parametrize(("data", "is_enough"), ENOUGH.items())
def test_a_head_is_enough_as_soon_as_nothing_can_change_the_answer(data: bytes, is_enough: bool) -> None:
    assert Arriving(100).is_enough(data) == is_enough
    dripped = Arriving(100)
    found = [dripped.is_enough(data[:end]) for end in range(1, len(data))]
    assert not any(found)
    assert dripped.is_enough(data) == is_enough
    is_whole = data.startswith((b"GET", b"\r\nGET")) and data.endswith(b"\r\n\r\n")
    assert dripped.end == (len(data) if is_whole else 0), "of what is no head it is not known where it ends"


class Watched(bytes):
    """Bytes that note from where on they are looked through."""

    looked: list[int]

    def find(self, *asked: Any) -> int:
        self.looked.append(asked[1])
        return super().find(*asked)


def test_each_byte_of_a_head_is_looked_at_once_however_slowly_they_come() -> None:
    data = b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 50
    arriving = Arriving(100)
    for end in range(1, len(data) + 1):
        come = Watched(data[:end])
        come.looked = []
        assert not arriving.is_enough(come)
        assert min(come.looked) == end - 1


_USUAL = [b"Host: x", b"Accept: */*", b"X-A: b"]


@given(
    is_late=st.booleans(),
    fields=st.lists(st.sampled_from(_USUAL), max_size=3),
    usual=st.lists(st.sampled_from(_USUAL), max_size=2) | st.just(_USUAL),
    body=st.binary(max_size=5),
    room=st.sampled_from([-1, 0, 20]),
    at_once=st.booleans(),
)
@example(is_late=False, fields=_USUAL, usual=_USUAL, body=b"{}", room=0, at_once=True)
@example(is_late=False, fields=_USUAL, usual=_USUAL, body=b"{}", room=-1, at_once=True)
@example(is_late=True, fields=_USUAL, usual=_USUAL, body=b"{}", room=20, at_once=False)
@example(is_late=False, fields=[b"XHost: x"], usual=[b"Host: x"], body=b"{}", room=20, at_once=True)
@example(is_late=True, fields=_USUAL[:1], usual=_USUAL, body=b"", room=0, at_once=False)
def test_it_is_known_where_the_fields_and_the_body_of_a_head_begin(
    is_late: bool, fields: list[bytes], usual: list[bytes], body: bytes, room: int, at_once: bool
) -> None:
    """However it comes, whatever its client sent before; of one that is a byte too long nothing is told."""
    line = (b"\r\n" if is_late else b"") + b"GET /a HTTP/1.1\r\n"
    head = line + b"".join(field + b"\r\n" for field in fields) + b"\r\n"
    arriving = Arriving(len(head) + room, b"".join(field + b"\r\n" for field in usual) + b"\r\n")
    if not at_once:
        assert not any(arriving.is_enough(head[:end]) for end in range(len(head)))
        assert arriving.end == 0
    assert arriving.is_enough(head + body)
    assert arriving.line is not None
    assert (arriving.line.path, arriving.fields_at) == (b"/a", len(line))
    assert arriving.end == (0 if room < 0 else len(head))
