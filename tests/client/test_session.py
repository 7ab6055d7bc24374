"""What a request goes through: requests itself, one pool for an origin, one send for a small body."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from conductor.lib.wire.call import Call
from conductor.lib.wire.connections import WHOLE_BYTES, OpenConnections, _InOneSend
from conductor.lib.wire.operations import OBJECTS_PUT, PACKAGES_LIST
from conductor.lib.wire.preparing import prepare
from conductor.lib.wire.session import Session
from support.client_world import make_transport
from support.raw_server import RawServer, Step, answer

OK = answer(200)


@pytest.mark.parametrize(
    "watched", [(requests.Session, "send"), (HTTPAdapter, "send"), (requests.Session, "get_adapter")]
)
def test_whoever_watches_requests_sees_every_request(
    watched: tuple[type, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    before = getattr(*watched)

    def watching(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(watched[1])
        return before(self, *args, **kwargs)

    monkeypatch.setattr(*watched, watching)
    with RawServer([[OK, OK]]) as server, make_transport() as transport:
        for _ in range(2):
            transport.send(Call(OBJECTS_PUT, f"{server.url}/x", body=b"abc"))
    assert len(seen) == 2


@responses.activate
def test_an_answer_that_is_pretended_is_read_as_one_that_came() -> None:
    responses.put("http://pretended.test/x", body=b"{}", headers={"ETag": "a", "Set-Cookie": "b=c"})
    with make_transport() as transport:
        sent = transport.send(Call(OBJECTS_PUT, "http://pretended.test/x", body=b"abc"))
    assert (sent.answer.status, sent.answer.content, sent.answer.headers.get("etag")) == (200, b"{}", "a")


def test_a_pool_is_kept_for_its_origin_and_settings_and_none_is_used_that_was_closed() -> None:
    with closing(Session(OpenConnections(), 1)) as session:
        adapter: Any = session.get_adapter("http://a/")

        def pool(host: int, proxies: dict[str, str], verify: bool = True) -> Any:
            request = prepare("GET", f"http://host{host}/x", {})
            return adapter.get_connection_with_tls_context(request, verify, proxies)

        assert pool(0, {}) is pool(0, {})
        assert pool(0, {}) is not pool(1, {})
        assert pool(0, {}) is not pool(0, {"http": "http://proxy:1"})
        for host in [*range(30), *range(10), 0, 29, 3, 3]:
            assert pool(host, {}).pool is not None


def test_no_cookie_is_kept() -> None:
    with RawServer([[answer(200, b"{}", "Set-Cookie: a=b"), OK]]) as server:
        with closing(Session(OpenConnections(), 1)) as session:
            for _ in range(2):
                session.get(f"{server.url}/x").close()
            assert not session.cookies
        assert all("cookie" not in {name.lower() for name in request.headers} for request in server.requests)


class Sending:
    """A connection that sends a head, and then what it is given, and notes each send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def request(self, method: str, url: str, body: Any = None) -> None:
        self.send(b"head")
        if method == "BAD":
            raise ValueError(method)
        for block in [body] if isinstance(body, bytes) else body or []:
            self.send(block)

    def send(self, data: bytes) -> None:
        self.sent.append(data)


class Whole(_InOneSend, Sending):
    pass


@given(st.one_of(st.none(), st.binary(max_size=9), st.lists(st.binary(max_size=3))))
def test_a_small_body_is_sent_together_with_its_head_and_a_stream_block_by_block(body: Any) -> None:
    connection = Whole()
    connection.request("PUT", "/", body)
    connection.request("PUT", "/", body)
    once = [b"head" + (body or b"")] if body is None or isinstance(body, bytes) else [b"head", *body]
    assert connection.sent == once * 2


def test_a_large_body_is_not_copied_to_be_sent() -> None:
    connection, body = Whole(), bytes(WHOLE_BYTES + 1)
    connection.request("PUT", "/", body)
    assert connection.sent[1] is body


def test_a_connection_that_failed_in_the_middle_of_a_request_sends_the_next_one_whole() -> None:
    connection = Whole()
    with pytest.raises(ValueError):
        connection.request("BAD", "/", b"a")
    assert connection.sent == []
    connection.request("PUT", "/", b"b")
    assert connection.sent == [b"headb"]


def test_an_answer_whose_head_comes_in_pieces_is_read_as_one_that_came_at_once() -> None:
    def in_pieces(connection: socket.socket, closing: threading.Event) -> None:
        for number in b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]":
            connection.sendall(bytes([number]))

    with RawServer([[answer(200, b"[1]"), Step(in_pieces), OK]]) as server, make_transport() as transport:
        sent = [transport.send(Call(PACKAGES_LIST, f"{server.url}/x")) for _ in range(3)]
    assert [one.json() for one in sent] == [[1], [1], {}]
    assert [request.connection for request in server.requests] == [0, 0, 0]


@given(
    st.dictionaries(
        st.sampled_from(["Accept", "X-A", "range", "Host"]),
        st.text(st.sampled_from("aé\r\n\t:@ \x00"), max_size=4),
        max_size=4,
    ),
    st.one_of(st.none(), st.just(b"abc")),
)
def test_a_head_says_what_http_client_would_write_and_refuses_what_it_refuses(
    fields: dict[str, str], body: bytes | None
) -> None:
    def written(kind: type[Noting]) -> object:
        connection = kind("a")
        try:
            connection.request("PUT", "/x", body, fields)
        except (ValueError, UnicodeError) as error:
            return type(error)
        head, _, rest = b"".join(connection.sent).partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        return line, sorted(lines), rest

    assert written(NotingWhole) == written(Noting)


class Noting(http.client.HTTPConnection):
    """A connection that sends nothing, and notes it."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.sent: list[bytes] = []

    def send(self, data: Any) -> None:
        self.sent.append(data)


class NotingWhole(_InOneSend, Noting):
    pass
