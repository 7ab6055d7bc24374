"""Faults that break an answer: over a socket, and as the requests library sees them in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.faults.rules import KINDS
from conductor_mock.inprocess import in_process
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.served import PATIENCE_S, RawConnection, token
from support.server import job_payload

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@dataclass(frozen=True)
class World:
    """A fake that is asked as the default account, and its port where it has one."""

    session: requests.Session
    url: str
    port: int = 0

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.url}{path}", json=body, timeout=PATIENCE_S)

    def fault(self, kind: str, operation: str = "jobs.create", **rule: Any) -> None:
        options = {name: rule.pop(name) for name in KINDS[kind].options if name in rule}
        fault = {"match": {"operation": operation}, "fault": {"kind": kind, **options}, "times": 1, **rule}
        answer = self.ask("POST", "/_mock/faults", fault)
        assert answer.status_code == 200, answer.text

    def submit(self) -> requests.Response:
        return self.ask("POST", "/jobs/", job_payload())

    def jobs(self) -> int:
        return len(self.ask("GET", "/api/v1/jobs").json()["data"])

    def journal(self) -> list[dict[str, Any]]:
        entries = self.ask("GET", "/_mock/requests?operation=jobs.create").json()["requests"]
        return [entry.get("fault") for entry in entries]


def world(session: requests.Session, url: str, key: str, port: int = 0) -> World:
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token(session, url, json.loads(key))}"
    return World(session, url, port)


@contextmanager
def over_a_socket(**settings: Any) -> Iterator[World]:
    app = create_app(Settings(ephemeral=True, speed=0, **settings))
    with Server(app) as server, requests.Session() as session:
        yield world(session, server.url, service_of(app).keys.api_key(), server.port)


@contextmanager
def in_this_process(**settings: Any) -> Iterator[World]:
    options = Settings(ephemeral=True, speed=0, allow_hosts=("conductor.local",), **settings)
    with in_process(options) as fake, requests.Session() as session:
        yield world(session, fake.url, service_of(fake.app).keys.api_key())


@pytest.fixture(params=[over_a_socket, in_this_process], ids=["socket", "in process"])
def here(request: pytest.FixtureRequest) -> Iterator[World]:
    with request.param() as opened:
        yield opened


def test_every_kind_is_tried_here() -> None:
    assert set(KINDS) == {"status", "delay", "stall", "reset", "lost_answer", "truncate", "corrupt", "garble"}


@pytest.mark.parametrize(
    ("kind", "options", "jobs"),
    [
        ("reset", {}, 0),
        ("reset", {"read_body": False}, 0),
        ("stall", {"seconds": 0}, 0),
        ("lost_answer", {}, 1),
        ("garble", {}, 1),
        ("truncate", {}, 1),
        ("truncate", {"bytes": 0}, 1),
    ],
)
def test_a_broken_answer_is_an_error_to_the_client_and_the_job_is_made_or_not(
    here: World, kind: str, options: dict[str, Any], jobs: int
) -> None:
    here.fault(kind, **options)
    with pytest.raises((*BROKEN, requests.ReadTimeout)):
        here.submit()
    assert here.jobs() == jobs
    assert here.submit().status_code == 201, "the next one is served"
    assert here.jobs() == jobs + 1
    assert here.journal() == [{"id": 1, "kind": kind}, None]
    (rule,) = here.ask("GET", "/_mock/faults").json()["faults"]
    assert (rule["seen"], rule["consumed"]) == (2, 1)


def test_a_corrupt_answer_is_as_long_as_the_right_one_and_cannot_be_read(here: World) -> None:
    here.fault("corrupt", skip=1)
    right, wrong = here.submit(), here.submit()
    assert (wrong.status_code, len(wrong.content)) == (201, len(right.content))
    with pytest.raises(ValueError, match="utf-8"):
        json.loads(wrong.content)
    assert here.jobs() == 2


def test_a_delayed_answer_is_the_right_one(here: World) -> None:
    here.fault("delay", seconds=0.01)
    assert here.submit().json()["jobid"] == "00001"


def test_a_reset_is_a_reset() -> None:
    with over_a_socket() as here:
        here.fault("reset")
        with pytest.raises(requests.ConnectionError) as caught:
            here.submit()
    assert "ConnectionResetError" in repr(caught.value)


def test_a_stall_says_nothing_until_the_client_goes_and_lets_the_server_stop() -> None:
    with ExitStack() as left, ExitStack() as opened:
        here = opened.enter_context(over_a_socket())
        here.fault("stall", seconds=600, times=2)
        with pytest.raises(requests.ReadTimeout):
            here.session.post(f"{here.url}/jobs/", json=job_payload(), timeout=0.05)
        connection = left.enter_context(RawConnection(here.port))
        head = f"GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\n"
        here.fault("stall", "jobs.list", seconds=600)
        authorization = f"Authorization: {here.session.headers['Authorization']!s}\r\n\r\n"
        connection.send((head + authorization).encode())
        opened.close()
        # Its request was stalled, or about to be: the server has stopped, and that ended it.
        assert connection.is_closed()


def test_an_output_can_be_spoiled_and_cut(here: World) -> None:
    here.submit()
    here.ask("POST", "/_mock/clock", {"until": "idle"})
    (task,) = here.ask("POST", "/jobs/00001/downloads", {"tids": None}).json()["downloads"]
    url = task["files"][0]["url"]
    right = here.session.get(url, timeout=PATIENCE_S).content
    here.fault("corrupt", "objects.get", bytes=3)
    here.fault("truncate", "objects.get", bytes=10)
    spoiled = here.session.get(url, timeout=PATIENCE_S).content
    assert len(spoiled) == len(right)
    assert sum(one != other for one, other in zip(spoiled, right, strict=True)) == 3
    with pytest.raises(BROKEN):
        here.session.get(url, timeout=PATIENCE_S)


def test_rules_of_a_file_are_there_from_the_start(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- match: {operation: jobs.create}\n  fault: {kind: status, status: 429, retry_after: 1}\n  times: 1\n"
        '- {"match": {"operation": "jobs.list"}, "fault": {"kind": "status"}, "times": 1}\n',
        encoding="utf-8",
    )
    with in_this_process(faults=rules) as here:
        assert here.ask("GET", "/api/v1/jobs").status_code == 503
        assert [here.submit().status_code for _ in range(2)] == [429, 201]
