"""A verification ends in time, whatever a server does, and leaves nothing behind then either."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from conductor_contracts import verify as verify_module
from conductor_contracts.cli import main
from conductor_contracts.interactions import load_interactions
from conductor_contracts.reports import as_json, as_junit
from conductor_contracts.time_limit import OutOfTime, TimeLimit
from conductor_contracts.verify import Outcome, Report, verify
from conductor_mock.inprocess import URL, InProcess, in_process
from conductor_mock.settings import Settings
from contracts.services import Answer, Answering, Fake, small_catalog

ANY_KEY = {"client_id": "a", "private_key": "b"}
CHANGING = [one.id for one in load_interactions() if one.operation in ("objects.put_part", "uploads.finish")]


@dataclass
class Clock:
    """A clock that goes on when it is told to."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


SHORT_S = 2.0
"""Long enough for a token on a machine that is busy."""


def test_a_request_waits_for_no_longer_than_there_is_time_for_it() -> None:
    clock = Clock(5)
    limit = TimeLimit(100, clock)
    with limit.request(60) as timeout_s:
        assert timeout_s == 60
    clock.seconds += 90
    with limit.request(60) as timeout_s:
        assert 10 < timeout_s < 11
    assert not limit.is_over
    assert not limit.was_met


def test_an_answer_that_comes_too_late_is_none() -> None:
    clock = Clock()
    limit = TimeLimit(100, clock)
    with pytest.raises(OutOfTime, match="the 100 s that it may take in all"), limit.request(60):
        clock.seconds = 100
    assert limit.is_over
    assert limit.was_met


@pytest.mark.parametrize(("at", "expected"), [(99, requests.ConnectionError), (100, OutOfTime)])
def test_a_request_that_fails_at_the_end_has_had_no_time(at: float, expected: type[Exception]) -> None:
    clock = Clock()
    limit = TimeLimit(100, clock)

    def fail() -> None:
        with limit.request(60):
            clock.seconds = at
            raise requests.ConnectionError

    with pytest.raises(expected):
        fail()


def test_what_was_begun_is_put_in_order_in_more_time_and_nothing_else_is_begun() -> None:
    clock = Clock()
    limit = TimeLimit(100, clock)
    clock.seconds = 100
    with pytest.raises(OutOfTime), limit.request(60):
        pass
    limit.extend(10)
    with limit.request(60) as timeout_s:
        assert 10 < timeout_s < 11
    assert limit.is_over
    clock.seconds = 110
    with pytest.raises(OutOfTime), limit.request(60):
        pass


def test_a_run_without_a_limit_has_none() -> None:
    clock = Clock()
    limit = TimeLimit(float("inf"), clock)
    clock.seconds = 1e12
    with limit.request(60) as timeout_s:
        assert timeout_s == 60


# Servers that never come to an end

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TOKEN = json.dumps({"access_token": "e30.e30.e30", "expires_in": 60}).encode()
ENDLESS = {
    "nothing": (b"", b""),
    "a head byte by byte": (HEAD, b"X"),
    "a body byte by byte": (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
    "chunks without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a body until the connection ends": (HEAD + b"\r\n", b" "),
    "continue without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""How an answer begins, and what comes of it again and again."""


@contextmanager
def serving(answered: Callable[[bytes], tuple[bytes, bytes]]) -> Iterator[str]:
    """A server of which each connection has one answer: its beginning, and what is sent until nobody reads it."""
    end = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            begin, again = answered(connection.recv(65536))
            connection.sendall(begin)
            while again and not end.wait(0.01):
                connection.sendall(again)
            if not again and not begin:
                end.wait()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                if end.is_set():
                    connection.close()
                    return
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        port = listener.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        end.set()
        socket.create_connection(("127.0.0.1", port)).close()
        accepting.join()
        listener.close()
        for thread in threads:
            thread.join()


def test_a_server_that_never_ends_an_answer_ends_no_verification() -> None:
    """All kinds at once, because each takes its time."""
    told: dict[str, list[Outcome]] = {kind: [] for kind in ENDLESS}

    def verified(kind: str) -> Report:
        def answered(request: bytes) -> tuple[bytes, bytes]:
            if b" /api/oauth_jwt" in request:
                return HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(TOKEN) + TOKEN, b""
            return ENDLESS[kind]

        with serving(answered) as url:
            return verify(
                url,
                ANY_KEY,
                read_only=True,
                only=["projects.list"],
                timeout_s=SHORT_S,
                on_outcome=told[kind].append,
            )

    with ThreadPoolExecutor(len(ENDLESS)) as pool:
        reports = dict(zip(ENDLESS, pool.map(verified, ENDLESS), strict=True))
    reason = f"the {SHORT_S:g} s that it may take in all (--timeout) are over"
    for kind, report in reports.items():
        assert report.timed_out, kind
        assert not report.ok, kind
        begun, *rest = [one for one in report.outcomes if not one.skipped]
        assert begun.played, kind
        assert begun.faults == (f"step 1, projects.list: {reason}",), kind
        assert rest
        assert all((one.played, one.faults) == (False, (f"not played: {reason}",)) for one in rest), kind
        assert [one for one in told[kind] if not one.skipped] == [begun], kind


def test_a_server_that_gives_no_token_for_ever_is_out_of_time(tmp_path: Path) -> None:
    with serving(lambda _: ENDLESS["a head byte by byte"]) as url:
        arguments = ["verify", "--url", url, "--timeout", "1", "--junit", str(tmp_path / "report.xml")]
        result = CliRunner().invoke(main, arguments, env={"CONDUCTOR_API_KEY": json.dumps(ANY_KEY)})
    assert result.exit_code == 124
    assert result.output == "Error: the 1 s that it may take in all (--timeout) are over\n"


# What is left behind


def held_by(url: str) -> dict[str, Any]:
    """All that a server has of every account."""
    return {
        name: requests.get(f"{url}/_mock/{name}", params={"account": "*"}, timeout=60).json()[name]
        for name in ("jobs", "files")
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(Settings(catalog=small_catalog(tmp_path))) as started:
        yield started


class Slow:
    """A service of which the request with a number, and all that come later, are answered when it is too late."""

    def __init__(self, fake: Fake, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = Clock()
        monkeypatch.setattr(verify_module, "TimeLimit", partial(TimeLimit, clock=clock))
        self.count = 0

        def late(request: requests.PreparedRequest, right: Answering) -> Answer:
            self.count += 1
            if self.count == number:
                clock.seconds += 1000
            return right(request)

        self.service = fake.service(late)


@pytest.mark.parametrize("number", [6, 9, 14, 20])
def test_a_verification_that_is_out_of_time_leaves_nothing(
    server: InProcess, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held_by(server.url)
    fake = Fake(server)
    slow = Slow(fake, number, monkeypatch)

    report = verify(URL, fake.key, session=slow.service.session(), only=CHANGING, timeout_s=900)

    assert slow.count > number
    assert report.timed_out
    assert [one.played for one in report.outcomes] == sorted(
        (one.played for one in report.outcomes), reverse=True
    )
    assert not report.outcomes[-1].played
    assert held_by(server.url) == before
    assert as_json(report)["timed_out"]
    assert as_junit(report).count("not played: the 900 s") >= 1


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_no_time_before_the_first_interaction_is_said(
    server: InProcess, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(server)
    slow = Slow(fake, number, monkeypatch)
    with pytest.raises(OutOfTime, match="the 900 s that it may take in all"):
        verify(URL, fake.key, session=slow.service.session(), only=CHANGING, timeout_s=900)


def test_the_command_says_what_was_not_played_and_writes_the_report(
    server: InProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = Fake(server)
    slow = Slow(fake, 20, monkeypatch)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda _session, url: slow.service)
    path = tmp_path / "report.xml"
    only = [text for one in CHANGING for text in ("--only", one)]
    arguments = ["verify", "--url", URL, "--allow-writes", "--timeout", "900", "--junit", str(path), *only]

    result = CliRunner().invoke(main, arguments, env={"CONDUCTOR_API_KEY": json.dumps(fake.key)})

    assert result.exit_code == 124
    *_, summary, sentence = result.output.splitlines()
    left = path.read_text("utf-8").count('message="not played')
    assert left > 1
    assert " failed, " in summary
    assert sentence == (
        f"Error: the 900 s of --timeout are over; {left} interactions of the {len(CHANGING)} were not played"
    )


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9", "", "9999999999"])
def test_a_limit_that_is_none_is_bad_input(seconds: str) -> None:
    result = CliRunner().invoke(main, ["verify", "--url", URL, "--timeout", seconds])
    assert result.exit_code == 2
    assert "'--timeout'" in result.output
