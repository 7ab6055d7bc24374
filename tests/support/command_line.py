"""The `conductor` command run in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import pytest
import responses
from click.testing import CliRunner, Result

from conductor.cli import cli
from support.client_world import URL
from support.fake_service import PRIVATE_KEY, FakeService


def runner() -> CliRunner:
    """A runner that keeps the standard output and the standard error apart.

    click 8.1, the last one for Python 3.9, does so only when it is asked to; later ones cannot be asked.
    """
    asked: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    return CliRunner(**asked)


def run(*words: str) -> Result:
    """What `conductor --quiet WORDS` prints and exits with, in the environment of the test."""
    return runner().invoke(cli, ["--quiet", *words])


@contextmanager
def service_of_commands(
    monkeypatch: pytest.MonkeyPatch, fake: FakeService | None = None
) -> Iterator[responses.RequestsMock]:
    """For the block, commands find a service, and a key for it; what else it answers is up to the test."""
    monkeypatch.setenv("CONDUCTOR_URL", URL)
    monkeypatch.setenv("CONDUCTOR_API_KEY", json.dumps({"client_id": "c", "private_key": PRIVATE_KEY}))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        (fake or FakeService()).install(mock)
        yield mock
