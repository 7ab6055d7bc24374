"""Heads of answers: what the short way reads is what http.client reads, and it leaves to that what is not plain."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor.lib.wire.heads import plain_head
from support.examples import examples

STATUS = ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not  Found ", "HTTP/1.1 201 ", "HTTP/1.0 200 OK", "HTTP/1.1 204 No",
          "HTTP/1.1 100 Continue", "HTTP/1.1 304 Not", "HTTP/1.1 200", "HTTP/1.1 099 X", "garbage"]  # fmt: skip
NAMES = [
    "Content-Length",
    "content-length",
    "Transfer-Encoding",
    "Connection",
    "ETag",
    "Date",
    "X-A",
    "X B",
    "",
    "é",
]
VALUES = [
    "0",
    "5",
    "007",
    "-1",
    "+5",
    "5, 5",
    "²",
    "chunked",
    "close",
    "Keep-Alive",
    "a\tb",
    " a ",
    "",
    '"q"',
    "ü",
    "x:y",
]
fields = st.builds(
    "{}{}{}".format,
    st.sampled_from(NAMES),
    st.sampled_from([":", ": ", ":\t", " : ", ""]),
    st.sampled_from(VALUES),
)
lines = st.lists(st.one_of(fields, st.sampled_from([" folded", "X-Y: 1\nX-Z: 2", "no colon"])), max_size=6)
bodies = st.sampled_from([b"", b"abcde", b"abcdefgh\r\n\r\n"])


class Socket:
    def __init__(self, received: bytes) -> None:
        self._file = io.BytesIO(received)

    def makefile(self, mode: str) -> io.BytesIO:
        return self._file


def as_http_client_reads(received: bytes) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(Socket(received), method="PUT")  # type: ignore[arg-type]
    response.begin()
    return response


@examples(200, full=800)
@given(st.sampled_from(STATUS), lines, bodies)
@example("HTTP/1.1 200 OK", ["Content-Length: 5", "ETag: a"], b"abcde")
@example("HTTP/1.1 200 OK", ["Content-Length: 5", "Content-Length: 6"], b"abcde")
def test_a_plain_head_says_what_http_client_reads_of_it(status: str, fields: list[str], body: bytes) -> None:
    received = "\r\n".join([status, *fields, "", ""]).encode("latin-1") + body
    plain = plain_head(received)
    if plain is None:
        return
    read = as_http_client_reads(received)
    assert (plain.status, plain.reason, plain.length) == (read.status, read.reason, read.length)
    assert plain.headers.items() == read.headers.items()
    assert (read.version, read.chunked, read.will_close) == (11, False, False)
    assert received[plain.size :] == body


def test_the_head_that_the_fake_sends_is_plain() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\n"
        b'ETag: "0f3a"\r\nDate: Fri, 27 Nov 2026 00:40:17 GMT\r\nServer: conductor-mock/0.2.0\r\n\r\n'
    )
    plain = plain_head(head)
    assert plain is not None
    assert plain.headers["etag"] == '"0f3a"'


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\rY: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 101 + b"Content-Length: 0\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_left_to_http_client(head: bytes) -> None:
    assert plain_head(head) is None
