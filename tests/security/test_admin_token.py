"""The admin token is not found out by trying: counted by address and together, and let in again after a while."""

from __future__ import annotations

import base64
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.auth import attempts
from conductor_mock.auth.attempts import OF_ALL, OF_ONE, WINDOW_US, Attempts, OwnTries
from conductor_mock.store.database import Database
from conductor_mock.store.shared_tries import SharedTries
from support.server import START_US, ManualWall, running

TOKEN = "the admin token"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{token}".encode()).decode()}


@pytest.mark.parametrize(
    ("path", "form"), [("/_mock/health", bearer), ("/_mock/health", basic), ("/", basic)]
)
def test_an_address_that_was_wrong_too_often_waits_and_is_let_in_afterwards(path: str, form: object) -> None:
    wall = ManualWall()
    with running(wall, admin_token=TOKEN) as fake:
        client = fake.app.test_client()
        made = bearer if form is bearer else basic

        def status(token: str | None, address: str = "127.0.0.1") -> int:
            headers = {} if token is None else made(token)
            return client.get(
                path,
                base_url="http://127.0.0.1:8089",
                headers=headers,
                environ_overrides={"REMOTE_ADDR": address},
            ).status_code

        assert status(TOKEN) == 200
        for number in range(OF_ONE):
            assert status(None) == 401, "to be asked for it is no try"
            assert status(f"wrong {number}") == 401
        refused = client.get(path, base_url="http://127.0.0.1:8089", headers=made(TOKEN))
        assert refused.status_code == 429, "the right one, too: else one could go on trying"
        assert refused.headers["Retry-After"] == "60"
        assert status(TOKEN, "127.0.0.2") == 200, "others are let in"
        wall.step(60)
        assert status(TOKEN) == 200


tries = st.lists(st.tuples(st.integers(0, 40), st.integers(0, WINDOW_US // 100), st.booleans()), max_size=600)


@given(tries)
def test_no_more_wrong_tries_are_answered_in_a_window_than_are_allowed(
    sequence: list[tuple[int, int, bool]],
) -> None:
    counted, now_us, begun_us = Attempts(OwnTries()), 1, 1
    answered: list[str] = []
    counted.wait_s("", 1)
    for address, step_us, is_wrong in sequence:
        now_us += step_us
        if now_us >= begun_us + WINDOW_US:
            begun_us, answered = now_us, []
        wait_s = counted.wait_s(str(address), now_us)
        is_over = answered.count(str(address)) >= OF_ONE or len(answered) >= OF_ALL
        assert bool(wait_s) == is_over
        assert wait_s * 1_000_000 <= WINDOW_US
        if is_wrong and not wait_s:
            counted.wrong(str(address))
            answered.append(str(address))


def test_many_addresses_together_are_stopped_as_one_is() -> None:
    counted = Attempts(OwnTries())
    for number in range(OF_ALL):
        assert counted.wait_s(str(number), START_US) == 0
        counted.wrong(str(number))
    assert counted.wait_s("another", START_US) > 0
    assert counted.wait_s("another", START_US - 1) == 0, "a clock that steps back keeps nobody out"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["a", "b", "x" * 500]),
            st.sampled_from([0, WINDOW_US // 30]),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_servers_that_share_a_database_count_together_what_one_would(
    sequence: list[tuple[int, str, int, bool]],
) -> None:
    alone, now_us = Attempts(OwnTries()), START_US
    few = patch.multiple(attempts, OF_ONE=3, OF_ALL=5)  # so that many of these stories come to them
    with few, Database("sqlite://") as database:
        servers = [Attempts(SharedTries(database)) for _ in range(2)]
        for server, address, step_us, is_wrong in sequence:
            now_us += step_us
            wait_s = servers[server].wait_s(address, now_us)
            assert wait_s == alone.wait_s(address, now_us)
            if is_wrong and not wait_s:
                servers[server].wrong(address)
                alone.wrong(address)
