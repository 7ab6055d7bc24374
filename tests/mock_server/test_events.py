"""Streams of events: what they tell, that they cost no thread, and that there are so many and no more."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.app import create_app
from conductor_mock.dashboard.live import BUSY_S, GAP_S, AccountWatch, TextWatch
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.serving import events
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.store.slots import Time
from support.filled import frames
from support.served import RawConnection, raw
from support.server import ApiCaller, Fake

ASK = b"GET /events%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextmanager
def serving() -> Iterator[Server]:
    with Server(create_app(Settings(ephemeral=True, speed=0))) as server:
        yield server


def move_clock(server: Server) -> None:
    body = json.dumps({"advance": 1}).encode()
    head = b"POST /_mock/clock HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    assert raw(server.port, b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)).status == 200


def listening(server: Server, opened: ExitStack, query: bytes = b"") -> RawConnection:
    """A connection that got the head and the first event of a stream."""
    connection: RawConnection = opened.enter_context(RawConnection(server.port))
    connection.send(ASK % query)
    lines = list(iter(connection.line, b"\r\n"))
    assert lines[0] == b"HTTP/1.1 200 OK\r\n"
    assert b"Content-Type: text/event-stream; charset=utf-8\r\n" in lines
    assert first_mark(chunk(connection))
    return connection


def first_mark(event: bytes) -> str:
    """The mark that a stream begins with."""
    begun = re.fullmatch(rb"retry: %d\ndata: here (\S+)\n\n" % events.RETRY_MS, event)
    assert begun, event
    return begun[1].decode()


def is_change(event: bytes) -> bool:
    return bool(re.fullmatch(rb"data: changed \S+\n\n", event))


def chunk(connection: RawConnection) -> bytes:
    """The next chunk of an answer."""
    size = int(connection.line(), 16)
    data = b""
    while len(data) < size:
        data += connection.line()
    if size:
        assert connection.line() == b"\r\n"
    return data


def threads_in_use(server: Server) -> int:
    return len(server._server.requests)


def streams(server: Server) -> int:
    return len(server._server._connections.events)


def test_a_change_of_the_account_is_told_to_everybody_who_listens() -> None:
    with serving() as server, ExitStack() as opened:
        move_clock(server)
        connections = [listening(server, opened) for _ in range(20)]
        move_clock(server)
        assert all(is_change(chunk(connection)) for connection in connections)
        assert threads_in_use(server) == 0


def test_what_was_asked_is_told_to_who_listens_for_requests() -> None:
    with serving() as server, ExitStack() as opened:
        connection = listening(server, opened, b"?of=requests")
        raw(server.port, b"GET /api/v1/projects/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert is_change(chunk(connection))


@pytest.mark.parametrize("query", [b"", b"?of=faults"])
def test_a_change_made_at_another_server_on_the_same_database_is_told(
    tmp_path: Path, postgres: str, query: bytes
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres, shared=True, speed=0)
    with ExitStack() as opened:
        one, other = (opened.enter_context(Server(create_app(settings))) for _ in range(2))
        move_clock(one)
        connection = listening(one, opened, query)
        move_clock(other)
        assert is_change(chunk(connection))


@pytest.mark.parametrize("query", [b"", b"?of=faults"])
def test_a_database_that_cannot_be_read_tells_nothing_keeps_nothing_from_others_and_is_asked_again(
    query: bytes,
) -> None:
    def fail(*_: object) -> str:
        raise sa.exc.OperationalError("SELECT", {}, OSError("away"))

    with serving() as server, ExitStack() as opened:
        of_account = listening(server, opened, query)
        of_requests = listening(server, opened, b"?of=requests")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("conductor_mock.store.accounts.Accounts.written", fail)
            raw(server.port, b"GET /api/v1/projects/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert is_change(chunk(of_requests))
        move_clock(server)
        assert is_change(chunk(of_account))


def test_there_are_so_many_streams_and_a_place_is_free_again_when_its_client_is_gone() -> None:
    with serving() as server:
        with ExitStack() as opened:
            for _ in range(events.MOST):
                listening(server, opened)
            assert streams(server) == events.MOST
            ended = raw(server.port, ASK % b"")
            assert first_mark(ended.content), "it is told to ask again"
        with ExitStack() as opened:
            while streams(server) == events.MOST:  # until the server has seen the first one go
                raw(server.port, b"GET /connect HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            listening(server, opened)


def test_a_stream_ends_when_its_client_says_anything_more_and_when_the_server_stops() -> None:
    with ExitStack() as opened:
        with serving() as server:
            talks = listening(server, opened)
            talks.send(b"GET / HTTP/1.1\r\n\r\n")
            assert talks.is_closed()
            listens = listening(server, opened)
        assert listens.is_closed()
        assert streams(server) == 0


@pytest.mark.parametrize("request_", [b"HEAD /events HTTP/1.1\r\n", b"GET /events HTTP/1.0\r\n"])
def test_who_cannot_have_a_stream_gets_an_answer_that_ends(request_: bytes) -> None:
    with serving() as server:
        with RawConnection(server.port) as connection:
            connection.send(request_ + b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n")
            text = connection.rest()
        assert text.startswith(b"HTTP/1.1 200 OK\r\n")
        assert streams(server) == 0


def test_without_a_socket_the_answer_ends_too(fake: Fake) -> None:
    answer = fake.newcomer().get("/events")
    assert first_mark(answer.content)


class Stage:
    """What a watch looks at: a wall clock, and an account as it was last left."""

    def __init__(self) -> None:
        self.s = 0.0
        self.speed = 0
        self.left = Time(Anchor(0, 0, 0), 0)

    def watch(self) -> AccountWatch:
        return AccountWatch(lambda: self.left, lambda: round(self.s * SECOND), lambda: self.s, self.left)


def test_a_watch_tells_of_commands_of_time_that_is_due_and_of_instances_that_run() -> None:
    stage = Stage()
    watch = stage.watch()
    assert not watch.has_news()
    stage.left = Time(Anchor(0, 0, 0), 0, changes=(1, 0))
    assert watch.has_news()
    assert not watch.has_news(), "told once"

    stage.s = 10
    running = Anchor(10 * SECOND, 0, SECOND)
    stage.left = Time(running, 0, changes=(2, 0), due_us=3 * SECOND)
    assert watch.has_news()
    stage.s = 12
    assert not watch.has_news(), "nothing is due yet"
    stage.s = 13
    assert watch.has_news()

    stage.left = Time(running, 3 * SECOND, changes=(2, 1), is_busy=True)
    stage.s = 14.5
    assert watch.has_news()
    stage.s = 14.5 + BUSY_S - 0.1
    assert not watch.has_news()
    stage.s = 14.5 + BUSY_S
    assert watch.has_news()
    stage.left = Time(Anchor(20 * SECOND, 9 * SECOND, 0), 9 * SECOND, changes=(3, 1), is_busy=True)
    stage.s = 21
    assert watch.has_news()
    stage.s = 100
    assert not watch.has_news(), "time stands still"


@given(st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=40))
def test_a_watch_tells_no_faster_than_its_gap_and_forgets_nothing(steps: list[tuple[float, bool]]) -> None:
    stage, added = Stage(), [0]
    watches: tuple[events.Watch, ...] = (
        stage.watch(),
        TextWatch(lambda: str(added[0]), lambda: stage.s, "0"),
    )
    told: tuple[list[float], list[float]] = ([], [])
    for seconds, changes in [*steps, (GAP_S, False)]:
        stage.s += seconds
        if changes:
            added[0] += 1
            stage.left = Time(Anchor(0, 0, 0), 0, changes=(added[0], 0))
        for watch, times in zip(watches, told, strict=True):
            if watch.has_news():
                times.append(stage.s)
    assert told[0] == told[1]
    assert all(later - sooner >= GAP_S for sooner, later in zip(told[0], told[0][1:], strict=False))
    assert bool(told[0]) == bool(added[0])
    assert not any(watch.has_news() for watch in watches), "what changed was told in the end"


def test_a_stream_that_has_nothing_to_tell_shows_that_it_is_alive() -> None:
    added = [0]
    watch = TextWatch(lambda: str(added[0]), lambda: 0, "0")
    stream = events.Stream(events.EventStreams(), None, None, watch)  # type: ignore[arg-type]
    assert events.due(stream, events.BEAT_S - 1) == b""
    assert events.due(stream, events.BEAT_S) == events.BEAT
    added[0] = 1
    assert is_change(events.due(stream, 0))


OF_ACCOUNTS = ("/", "/job/1", "/jobs/1/0", "/machines", "/mails")
OTHERS = {"/requests": "requests", "/faults": "faults"}
"""Pages that something else makes old, and what it is."""

Change = tuple[str, str, dict[str, Any]]
CHANGES: tuple[Change, ...] = (
    ("POST", "/_mock/clock", {"advance": 1}),
    ("POST", "/_mock/clock", {"speed": 2}),
    ("POST", "/_mock/outcomes", {"match": {}, "outcome": "failed"}),
)
RULES: tuple[Change, ...] = (
    ("POST", "/_mock/outcomes", {"match": {}, "outcome": "failed"}),
    ("POST", "/_mock/faults", {"fault": {"kind": "status", "status": 503}}),
    ("DELETE", "/_mock/faults", {}),
)
RULE: Change = ("POST", "/_mock/faults", {"match": {"operation": "jobs.list"}, "fault": {"kind": "reset"}})
ASKED: tuple[Change, ...] = (("GET", "/api/v1/projects/", {}), ("GET", "/api/v1/nothing", {}))


def live_pages() -> st.SearchStrategy[tuple[str, Change]]:
    """A page that is live, and a change that makes it old."""
    of_accounts = st.tuples(st.sampled_from(OF_ACCOUNTS), st.sampled_from(CHANGES))
    of_rules = st.tuples(st.just("/faults"), st.sampled_from(RULES))
    return of_accounts | of_rules | st.tuples(st.sampled_from(tuple(OTHERS)), st.sampled_from(ASKED))


def make(caller: ApiCaller, change: Change) -> None:
    method, address, body = change
    query = {"account": caller.client_id} if address.startswith("/_mock/") else None
    caller.request(method, address, body=body or None, query=query)


def shown_and_told(caller: ApiCaller, path: str) -> tuple[str, str]:
    """The mark of a page, and with which one its stream begins."""
    text = caller.get(path, query={"account": caller.client_id}).content.decode()
    marked = re.search(r'data-events="([^"]+)" data-mark="([^"]+)"', text)
    assert marked, path
    return marked[2], first_mark(caller.get(html.unescape(marked[1])).content)


@given(page=live_pages())
def test_a_page_has_the_mark_of_its_stream_until_something_changes(
    shared_fake: Fake, page: tuple[str, Change]
) -> None:
    path, change = page
    caller = shared_fake.newcomer()
    caller.submit(tasks_data=frames(2))
    make(caller, RULE)
    shown, told = shown_and_told(caller, path)
    assert shown == told
    make(caller, change)
    assert first_mark(caller.get("/events", query=stream_of(caller, path)).content) != shown
    again, told = shown_and_told(caller, path)
    assert shown != again == told


def stream_of(caller: ApiCaller, path: str) -> dict[str, str]:
    of = {"of": OTHERS[path]} if path in OTHERS else {}
    return {"account": caller.client_id, **of}


@given(page=live_pages())
def test_a_change_while_a_page_is_made_is_told_by_the_first_event(
    shared_fake: Fake, page: tuple[str, Change]
) -> None:
    """It came when the page had read everything and was not sent yet."""
    path, change = page
    caller = shared_fake.newcomer()
    caller.submit(tasks_data=frames(2))
    make(caller, RULE)
    changed: list[object] = []

    def change_once() -> str:
        if not changed:
            make(caller, change)
            changed.append(change)
        return "0"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conductor_mock.dashboard.shown.version", change_once)
        shown, told = shown_and_told(caller, path)
    assert changed
    assert shown != told
