"""The fake keeps its own contract: every interaction, played against the whole server over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from conductor_contracts.interactions import load_interactions
from conductor_contracts.verify import Report, verify
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings

OPERATIONS = sorted({one.operation or "routes" for one in load_interactions()})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A frozen server whose data is thrown away."""
    with Server(create_app(Settings(ephemeral=True, speed=0))) as running:
        yield running


def verified(server: Server, only: list[str] | None = None) -> Report:
    return verify(server.url, json.loads(server.environment()["CONDUCTOR_API_KEY"]), only=only)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_server_keeps_the_contract(server: Server, operation: str) -> None:
    report = verified(server, [operation])
    assert report.ok, str(report)
    assert not [outcome for outcome in report.outcomes if outcome.skipped]


def test_an_account_whose_time_goes_on_can_be_verified_again() -> None:
    with Server(create_app(Settings(ephemeral=True))) as running:
        reports = [verified(running) for _ in range(2)]
    for report in reports:
        assert report.ok, str(report)
        assert len(report.outcomes) == len(load_interactions())
        assert not [outcome for outcome in report.outcomes if outcome.skipped]
