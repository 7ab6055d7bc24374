"""A few at once, and the others in turn: a store that does not answer takes no server's last thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.serving import server
from conductor_mock.store import bucket
from conductor_mock.store.few_at_once import FewAtOnce
from conductor_mock.store.small_contents import SMALL_BYTES
from conductor_mock.store.unavailable import UnavailableError
from support.buckets import ACCOUNT, NAME, troubled
from support.execution import eventually
from support.server import md5_of, running


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 3))
def test_no_more_than_a_few_have_a_turn_and_one_that_ends_badly_is_given_back(
    ends: list[bool], most: int
) -> None:
    waited: list[int] = []

    @contextmanager
    def waiting() -> Iterator[None]:
        waited.append(1)
        yield

    few = FewAtOnce(most, 0, waiting=waiting)
    for ends_well in ends:
        try:
            with few.turn():
                assert not ends_well, "badly"
        except AssertionError:
            pass
    held = [few.turn() for _ in range(most)]
    for turn in held:
        turn.__enter__()
    assert waited == []
    with pytest.raises(UnavailableError), few.turn():
        pytest.fail("it is one too many")
    assert waited == [1]
    held[0].__exit__(None, None, None)
    with few.turn():
        pass


def test_a_store_that_does_not_answer_keeps_nobody_waiting_who_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    place = f"s3://{NAME}/{os.urandom(8).hex()}"
    monkeypatch.setattr(server, "THREADS", 2)
    monkeypatch.setattr(bucket, "MOST_CALLS", 1)
    with (
        troubled() as trouble,
        running(data_dir=tmp_path, objects=place, objects_endpoint=trouble.url) as fake,
        server.Server(fake.app, closes=False) as served,
    ):
        caller = fake.caller()
        contents = [bytes([number]) * (SMALL_BYTES + 1) for number in range(4)]
        held = trouble.held = threading.Event()
        sent: list[int] = []

        def send(content: bytes) -> None:
            path = caller.upload_url(f"/{content[0]}", content).split("/", 3)[3]
            sent.append(requests.put(f"{served.url}/{path}", data=content, timeout=60).status_code)

        threads = [threading.Thread(target=send, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: len(served._server.requests.others) == len(contents))
            token = {"Authorization": f"Bearer {caller.token}"}
            jobs = requests.get(f"{served.url}/api/v1/jobs", headers=token, timeout=60)
            assert (jobs.status_code, sent) == (200, [])
        finally:
            held.set()
        for thread in threads:
            thread.join()
        assert sent == [200] * len(contents)
        assert set(caller.files().values()) == set(map(md5_of, contents))
