"""What a worker does about a server that does not answer: waits for it, and tells no URL."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.execution import by_url

URL = "http://fake.studio.example:8089/objects/secret?signature=secret"
CONTENT = b"scene"
MD5 = hashlib.md5(CONTENT).hexdigest()

PASSING: list[Any] = [408, 429, 500, 502, 503, 504, requests.ConnectionError(URL), requests.Timeout(URL)]
FINAL = [400, 401, 403, 404, 409, 410, 413, 507]


@dataclass
class Net:
    """Answers in their order, then 200; and a clock that goes on when somebody waits."""

    answers: list[Any]
    now_s: float = 0.0
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def ask(self, method: str, data: Any = b"") -> requests.Response:
        self.asked.append((method, data if isinstance(data, bytes) else data.read()))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code = answer
        response.raw = io.BytesIO(CONTENT)
        return response

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patched:
        yield patched


def net_of(patched: pytest.MonkeyPatch, answers: list[Any]) -> Net:
    net = Net(list(answers))
    patched.setattr("conductor_mock.execution.by_url.time.monotonic", lambda: net.now_s)
    patched.setattr("conductor_mock.execution.by_url.time.sleep", net.sleep)
    patched.setattr("conductor_mock.execution.by_url.requests.get", lambda *_, **__: net.ask("GET"))
    patched.setattr(
        "conductor_mock.execution.by_url.requests.put", lambda *_, data, **__: net.ask("PUT", data)
    )
    return net


def fetch(folder: Path, *, is_over: bool = False) -> bytes:
    with by_url.fetch(URL, MD5, folder, lambda: is_over) as file:
        return file.read()


def send(*, is_over: bool = False) -> None:
    by_url.send(URL, io.BytesIO(CONTENT), len(CONTENT), "out/a.exr", lambda: is_over)


@given(st.lists(st.sampled_from(PASSING), max_size=8))
def test_what_passes_is_waited_for_and_then_nothing_is_missing(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Any]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        net = net_of(patched, answers)
        assert fetch(tmp_path_factory.getbasetemp()) == CONTENT
        net.answers = list(answers)
        send()
        assert len(net.asked) == 2 * len(answers) + 2
        assert {body for method, body in net.asked if method == "PUT"} == {CONTENT}, (
            "from its beginning each time"
        )


@pytest.mark.parametrize("status", FINAL)
def test_what_does_not_pass_is_told_at_once(status: int, tmp_path: Path, patched: pytest.MonkeyPatch) -> None:
    net = net_of(patched, [status] * 2)
    for act in (lambda: fetch(tmp_path), send):
        with pytest.raises(OSError, match=f"the server answers {status} to") as error:
            act()
        assert "secret" not in str(error.value)
    assert len(net.asked) == 2


@pytest.mark.parametrize("answer", PASSING, ids=str)
def test_a_server_that_stays_away_is_given_up_after_a_minute_with_a_sentence_that_opens_nothing(
    answer: Any, tmp_path: Path, patched: pytest.MonkeyPatch
) -> None:
    for act in (lambda: fetch(tmp_path), send):
        net = net_of(patched, [answer] * 1000)
        with pytest.raises(OSError, match="asked for 60 s") as error:
            act()
        assert "secret" not in str(error.value)
        assert isinstance(answer, int) or "fake.studio.example:8089, where --executor-url leads" in str(
            error.value
        )
        assert 50 < net.now_s <= 60
        assert len(net.asked) < 25


def test_a_run_that_nobody_wants_any_more_waits_for_nobody(
    tmp_path: Path, patched: pytest.MonkeyPatch
) -> None:
    net = net_of(patched, [503] * 1000)
    for act in (lambda: fetch(tmp_path, is_over=True), lambda: send(is_over=True)):
        with pytest.raises(OSError, match="503"):
            act()
    assert net.now_s == 0


def test_other_bytes_than_were_asked_for_are_asked_for_three_times(
    tmp_path: Path, patched: pytest.MonkeyPatch
) -> None:
    net = net_of(patched, [])
    with pytest.raises(OSError, match="another md5"):
        by_url.fetch(URL, "0" * 32, tmp_path, lambda: False)
    assert len(net.asked) == 3
