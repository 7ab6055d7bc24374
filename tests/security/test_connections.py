"""Clients that say nothing, or all too slowly: what they cost, when they are ended, and who is served beside them."""

from __future__ import annotations

import json
import resource
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import requests

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.serving import accepting, patience
from conductor_mock.serving.patience import Limits, Pace
from conductor_mock.serving.server import THREADS, Server
from conductor_mock.settings import Settings
from support.served import PATIENCE_S, RawConnection, raw, token

MANY = 80
assert MANY > THREADS + 8

GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HALF_A_BODY = (
    b"POST /jobs/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n{"
)
HALF_A_CHUNK = HALF_A_BODY.replace(b"Content-Length: 99", b"Transfer-Encoding: chunked").replace(
    b"{", b"63\r\n{"
)
JSON = b"Content-Type: application/json\r\n"
BIG_BYTES = 1 << 26
"""More than the system takes from a server for a client that does not read."""


class WithBig:
    """The app, and `/big`, which is more than a client's system takes unread."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.asked = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        return (
            self._big(start_response)
            if environ["PATH_INFO"] == "/big"
            else self._app(environ, start_response)
        )

    def _big(self, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", str(BIG_BYTES))])
        self.asked.release()
        try:
            yield bytes(BIG_BYTES)
        finally:
            self.ended.release()


@contextmanager
def serving(**settings: Any) -> Iterator[tuple[Server, WithBig]]:
    app = create_app(Settings(ephemeral=True, speed=0, **settings))
    big = app.wsgi_app = WithBig(app.wsgi_app)  # type: ignore[method-assign]
    with Server(app) as server:
        yield server, big


def silent(_: WithBig, connection: RawConnection) -> None:
    """It is connected, and that is all."""


def dripping_head(_: WithBig, connection: RawConnection) -> None:
    for byte in b"GET /":
        connection.send(bytes([byte]))


def slow_body(_: WithBig, connection: RawConnection) -> None:
    connection.send(HALF_A_BODY)
    assert connection.line() == b"HTTP/1.1 100 Continue\r\n"  # a thread is at it


def slow_chunk(_: WithBig, connection: RawConnection) -> None:
    connection.send(HALF_A_CHUNK)
    assert connection.line() == b"HTTP/1.1 100 Continue\r\n"


def slow_reader(big: WithBig, connection: RawConnection) -> None:
    connection.send(GET % b"/big")
    assert big.asked.acquire(timeout=PATIENCE_S)


def slow_body_to_the_control_plane(_: WithBig, connection: RawConnection) -> None:
    connection.send(HALF_A_BODY.replace(b"/jobs/", b"/_mock/clock"))
    assert connection.line() == b"HTTP/1.1 100 Continue\r\n"


KINDS = [silent, dripping_head, slow_body, slow_chunk, slow_reader, slow_body_to_the_control_plane]


@pytest.mark.parametrize("kind", KINDS)
def test_eighty_hostile_clients_keep_nobody_waiting(kind: Callable[[WithBig, RawConnection], None]) -> None:
    with serving() as (server, big), ExitStack() as hostile:
        for _ in range(MANY):
            kind(big, hostile.enter_context(RawConnection(server.port)))
        assert raw(server.port, GET % b"/api/v1/jobs").status == 401
        assert raw(server.port, GET % b"/_mock/clock").status == 200
        hostile.close()


@pytest.mark.parametrize(
    ("kind", "rest"), [(slow_body, b" " * 98), (slow_chunk, b" " * 98 + b"\r\n0\r\n\r\n")]
)
def test_eighty_slow_bodies_that_go_on_are_answered(
    kind: Callable[[WithBig, RawConnection], None], rest: bytes
) -> None:
    with serving() as (server, big), ExitStack() as opened:
        slow = [opened.enter_context(RawConnection(server.port)) for _ in range(MANY)]
        for connection in slow:
            kind(big, connection)
        for piece in (rest[:1], rest[1:50], rest[50:]):
            for connection in slow:
                connection.send(piece)
        assert [connection.line() for connection in slow] == [b"\r\n"] * MANY
        assert [connection.answer().status for connection in slow] == [401] * MANY


def test_slow_readers_that_go_on_get_all() -> None:
    with serving() as (server, big), ExitStack() as opened:
        slow = [opened.enter_context(RawConnection(server.port)) for _ in range(12)]
        for connection in slow:
            slow_reader(big, connection)
        for connection in reversed(slow):
            assert connection.answer().content == bytes(BIG_BYTES)


def test_faults_that_hold_eighty_requests_back_can_be_deleted() -> None:
    with serving() as (server, _), requests.Session() as session, ExitStack() as held:
        key = json.loads(service_of(server._app).keys.api_key())
        bearer = f"Authorization: Bearer {token(session, server.url, key)}\r\n\r\n".encode()
        rule = {
            "match": {"path": "/api/v1/projects"},
            "fault": {"kind": "stall", "seconds": 600},
            "times": 1000,
        }
        faults = f"{server.url}/_mock/faults"
        assert session.post(faults, json=rule, timeout=PATIENCE_S).ok
        stalled = [held.enter_context(RawConnection(server.port)) for _ in range(MANY)]
        for connection in stalled:
            connection.send((GET % b"/api/v1/projects")[:-2] + bearer)
        while session.get(faults, timeout=PATIENCE_S).json()["faults"][0]["consumed"] < MANY:
            pass
        assert session.delete(faults, json={}, timeout=PATIENCE_S).status_code == 204
        assert all(connection.is_closed() for connection in stalled)


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\n", (GET % b"/")[:-1], b"\r\n"])
def test_a_head_that_is_not_whole_in_time_is_408(sent: bytes) -> None:
    with serving(head_timeout_s=0.05) as (server, _):
        answer = raw(server.port, sent)
    assert (answer.status, set(answer.json())) == (408, {"status", "message", "errors"})
    assert "0.05 s" in answer.json()["message"]
    assert answer.headers["Connection"] == "close"


def test_a_connection_that_says_nothing_before_or_between_requests_is_ended_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert patience.IDLE_S == 60
    monkeypatch.setattr(accepting, "IDLE_S", 0.05)
    with serving(head_timeout_s=600) as (server, _):
        with RawConnection(server.port) as silent, RawConnection(server.port) as between:
            between.send(GET % b"/api/v1/jobs")
            assert between.answer().status == 401
            assert (silent.rest(), between.rest()) == (b"", b"")
        monkeypatch.setattr(accepting, "IDLE_S", 600)
        with RawConnection(server.port) as late:
            late.send(GET % b"/api/v1/jobs")
            assert late.answer().status == 401


def test_a_second_request_that_is_begun_has_its_own_deadline() -> None:
    with serving(head_timeout_s=0.05) as (server, _), RawConnection(server.port) as connection:
        connection.send((GET % b"/api/v1/jobs") + b"GET")
        assert connection.answer().status == 401
        assert connection.answer().status == 408


@pytest.mark.parametrize("half", [HALF_A_BODY, HALF_A_CHUNK])
def test_a_body_of_which_nothing_comes_any_more_is_given_up(half: bytes) -> None:
    with serving(client_timeout_s=0.05) as (server, _), RawConnection(server.port) as connection:
        connection.send(half.replace(b"/jobs/", b"/_mock/clock").replace(b"Expect", JSON + b"Expect"))
        assert [connection.line() for _ in range(2)] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
        assert connection.answer().status == 400
        assert connection.is_closed()


def test_a_body_below_the_least_rate_is_given_up_though_it_goes_on() -> None:
    head = HALF_A_BODY.replace(b"99", b"99999999").replace(b"/jobs/", b"/_mock/clock")
    with (
        serving(client_timeout_s=0.05, least_rate=10**12) as (server, _),
        RawConnection(server.port) as connection,
    ):
        connection.send(head)
        with suppress(ConnectionError):  # it has hung up
            for _ in range(99_999_998):
                connection.send(b"x")
            pytest.fail("all of it was read")


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    with serving(client_timeout_s=0.05) as (server, big), RawConnection(server.port) as deaf:
        slow_reader(big, deaf)
        assert big.ended.acquire(timeout=PATIENCE_S)
        answered = b""
        with suppress(ConnectionError):
            answered = deaf.rest()
        assert len(answered) < BIG_BYTES


def test_who_reads_in_time_gets_all_of_a_large_answer() -> None:
    with serving() as (server, _):
        assert raw(server.port, GET % b"/big").content == bytes(BIG_BYTES)


def test_silent_connections_make_room_the_oldest_first() -> None:
    with serving(max_connections=16) as (server, _), ExitStack() as opened:
        connections = [opened.enter_context(RawConnection(server.port)) for _ in range(40)]
        assert raw(server.port, GET % b"/_mock/clock").status == 200
        assert all(connection.is_closed() for connection in connections[:25])
        connections[-1].send(GET % b"/_mock/clock")
        assert connections[-1].answer().status == 200


def test_where_all_places_are_taken_by_requests_the_control_plane_is_answered_and_others_get_503() -> None:
    most, reserved = 16, 4
    with serving(max_connections=most) as (server, big), ExitStack() as opened:
        for _ in range(most - reserved):
            slow_body(big, opened.enter_context(RawConnection(server.port)))
        refused = raw(server.port, GET % b"/api/v1/jobs")
        assert (refused.status, refused.headers["Connection"]) == (503, "close")
        assert "12 connections are in use" in refused.json()["message"]
        assert raw(server.port, GET % b"/_mock/clock").status == 200
        assert raw(server.port, GET % b"//_mock/clock").status == 200


def test_bodies_sent_to_the_control_plane_leave_places_too() -> None:
    with serving(max_connections=16) as (server, big), ExitStack() as opened:
        for _ in range(14):
            slow_body_to_the_control_plane(big, opened.enter_context(RawConnection(server.port)))
        assert raw(server.port, GET % b"/_mock/clock").status == 503


def test_a_stop_ends_beside_eighty_of_each_kind_that_send(caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as hostile, serving() as (server, big):
        for kind in (silent, dripping_head, slow_body, slow_chunk):
            for _ in range(MANY):
                kind(big, hostile.enter_context(RawConnection(server.port)))
    assert "given up" not in caplog.text


def test_where_no_thread_can_be_added_the_first_ones_go_on_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with serving() as (server, big), ExitStack() as opened:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(3):
                slow_body(big, opened.enter_context(RawConnection(server.port)))
            for _ in range(MANY):
                opened.enter_context(RawConnection(server.port)).send(HALF_A_BODY)
            assert raw(server.port, GET % b"/_mock/clock").status == 200
        opened.close()
        assert raw(server.port, GET % b"/api/v1/jobs").status == 401
    assert caplog.text.count("no thread can be added to the 4 that answer requests") == 1


def test_waiting_uses_a_pace_up_and_bytes_give_it_back_but_no_more_than_there_was() -> None:
    pace = Pace(60, 1024)
    pace.begin(100)
    pace.end(110)
    pace.moved(5 * 1024, 1000)
    assert pace.left_s == 55
    pace.moved(1 << 30, 1000)
    assert pace.left_s == 60
    pace.begin(1000)
    for second in range(1, 61):
        pace.moved(1, 1000 + second)
    assert 0 < pace.left_s < 0.1


def test_a_transfer_at_the_least_rate_goes_on_for_ever() -> None:
    pace = Pace(60, 1024)
    pace.begin(0)
    for second in range(1, 1000):
        pace.moved(1024, second)
    pace.end(1000)
    assert pace.left_s == 59


@pytest.mark.parametrize("most", [16, 64, 4096])
def test_some_places_are_reserved_and_most_are_not(most: int) -> None:
    assert 0 < Limits(most, 1, 1, 1).reserved <= most // 4


@pytest.mark.parametrize(
    ("files", "connections"),
    [(40, 16), (80, 16), (100, 36), (255, 191), (256, 192), (1024, 768), (-1, sys.maxsize)],
)
def test_a_server_keeps_files_for_itself_however_few_it_may_open(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    assert accepting._descriptors() == connections
