"""Whether a server is alive, and whether it is to be sent requests: two questions, which balancers ask apart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from conductor_mock.app import make_app
from conductor_mock.service import open_service
from conductor_mock.settings import Settings
from conductor_mock.store.database import Database
from conductor_mock.store.readiness import Readiness
from support.served import PATIENCE_S, RawConnection, served
from support.server import ApiCaller, Fake, running

LIVE, READY = "/_mock/health/live", "/_mock/health/ready"


def test_a_server_that_was_started_is_alive_and_ready(fake: Fake) -> None:
    caller = fake.anonymous()
    assert caller.get(LIVE).json() == {"status": "alive"}
    assert caller.get(READY).json() == {"status": "ready"}


@pytest.mark.parametrize("path", [LIVE, READY])
@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Host": "10.1.2.3:8089"}},
        {"headers": {"Host": "evil.example", "Origin": "http://evil.example"}},
        {"headers": {"Authorization": "Bearer wrong"}},
        {"method": "HEAD"},
    ],
)
def test_a_balancer_needs_no_token_and_no_name_of_this_machine(path: str, asked: dict[str, Any]) -> None:
    with running(admin_token="the admin token", loopback=False) as fake:
        caller = fake.anonymous()
        assert caller.request(asked.get("method", "GET"), path, headers=asked.get("headers")).status == 200
        assert caller.get("/_mock/health").status == 401
        assert caller.get(path, query={"account": "*"}).status == 400, "nothing is told of anybody"


def test_a_server_that_is_starting_is_alive_and_not_ready() -> None:
    service = open_service(Settings(ephemeral=True))
    try:
        caller = ApiCaller(make_app(service), "studio", "key")
        assert caller.get(LIVE).status == 200
        assert caller.get(READY).message == "the server is not ready: it is starting"
        service.start()
        assert caller.get(READY).status == 200
    finally:
        service.close()


def test_a_server_that_drains_is_not_ready_but_answers_and_closes_connections(fake: Fake) -> None:
    caller = fake.caller()
    assert "Connection" not in caller.get("/api/v1/jobs").headers
    fake.service.readiness.drain()
    answer = caller.get(READY)
    assert (answer.status, caller.get(LIVE).status) == (503, 200)
    assert "it is stopping" in answer.message
    answer = caller.submit()
    assert (answer.status, answer.headers["Connection"]) == (201, "close")


def test_a_server_whose_database_cannot_be_reached_is_alive_and_not_ready(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caller = fake.anonymous()
    error = sa.exc.OperationalError("SELECT", {}, Exception("connection to db.studio.example refused"))

    def refused(_: Database) -> Iterator[sa.Connection]:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Database, "read", refused)
        answer = caller.get(READY)
        assert (answer.status, caller.get(LIVE).status) == (503, 200)
        assert caller.get(READY).message == answer.message
    assert answer.message == "the server is not ready: the database cannot be reached"
    told = "the reason is for the log, and not for anybody who asks; it says so once, however often that is"
    assert caplog.text.count("db.studio.example") == 1, told
    assert caller.get(READY).status == 200


def test_a_database_that_says_nothing_keeps_one_thread_waiting_however_often_it_is_asked() -> None:
    asked, answer = [], threading.Event()

    def ask() -> None:
        asked.append(threading.current_thread().name)
        answer.wait(PATIENCE_S)

    readiness = Readiness(patience_s=0)
    readiness.needs("the database", ask)
    readiness.begin()
    assert [readiness.why_not() for _ in range(20)] == ["the database does not answer"] * 20
    assert asked == ["readiness"]
    answer.set()
    patient = Readiness(patience_s=PATIENCE_S)
    patient.needs("the database", ask)
    patient.begin()
    assert patient.why_not() == ""


def test_a_defect_of_a_question_is_not_ready_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    readiness = Readiness(patience_s=PATIENCE_S)
    readiness.needs("the store", lambda: 1 / 0)
    readiness.begin()
    assert readiness.why_not() == "the store cannot be asked"


@pytest.mark.slow
def test_a_stop_with_a_drain_is_seen_before_it_happens_and_loses_no_request(tmp_path: Path) -> None:
    with served(tmp_path, "--drain", "60") as server:
        with server.session() as session, RawConnection(server.port) as idle:
            assert requests.get(server.url + READY, timeout=PATIENCE_S).status_code == 200
            server.process.terminate()
            server.wait_until_said("not ready any more; stopping in 60 s")

            assert requests.get(server.url + READY, timeout=PATIENCE_S).status_code == 503
            assert requests.get(server.url + LIVE, timeout=PATIENCE_S).status_code == 200
            answer = session.get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S)
            assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
            idle.send(b"GET /_mock/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert idle.answer().status == 200
            assert idle.is_closed(), "a connection of before is ended behind its answer"
            assert server.process.poll() is None
        assert server.end() == 0, "the second signal does not wait"
        assert "stopping\n" in server.output
