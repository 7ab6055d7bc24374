"""The head of an answer waits for the first of its body: a small answer is one send, and nothing is lost or moved."""

from __future__ import annotations

import http.client
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.serving.streams import _JOINED, SocketConnection, Writer
from conductor_mock.settings import Settings

STEPS = st.lists(
    st.one_of(
        st.sampled_from(["hold", "hold", "release"]),
        st.sampled_from([b"", b"a", b"bc", b"def"]),
        st.sampled_from([_JOINED - 1, _JOINED, _JOINED + 1]).map(bytes),
    ),
    min_size=3,
    max_size=12,
)


def writer_to(sent: list[bytes]) -> Writer:
    def send(data: memoryview) -> int:
        sent.append(bytes(data[:40_000]))  # a socket may take a part
        return len(sent[-1])

    connection = SimpleNamespace(
        socket=SimpleNamespace(send=send), writing=SimpleNamespace(moved=lambda size, now: None)
    )
    return Writer(cast(SocketConnection, connection))


@given(steps=STEPS)
def test_whatever_is_held_is_sent_once_and_in_order(steps: list[Any]) -> None:
    sent: list[bytes] = []
    writer = writer_to(sent)
    written = b""
    for step in steps:
        if step == "hold":
            writer.holds = True
        elif step == "release":
            writer.release()
            assert b"".join(sent) == written
        else:
            assert writer.write(step) == len(step)
            written += step
            assert written.startswith(b"".join(sent))
    writer.release()
    assert b"".join(sent) == written


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/_mock/health", 200), ("HEAD", "/_mock/health", 200), ("GET", "/api/v1/jobs", 401)],
)
def test_a_small_answer_is_one_send(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int
) -> None:
    sent: list[bytes] = []
    send = Writer._send

    def recorded(self: Writer, data: bytes) -> int:
        sent.append(bytes(data))
        return send(self, data)

    monkeypatch.setattr(Writer, "_send", recorded)
    with Server(create_app(Settings(ephemeral=True, speed=0))) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        client.request(method, path)
        answer = client.getresponse()
        body = answer.read()
        client.close()

    assert answer.status == status
    assert len(sent) == 1
    assert sent[0].endswith(b"\r\n\r\n" + body)
