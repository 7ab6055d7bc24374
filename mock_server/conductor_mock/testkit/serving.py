"""A fake on a socket in a test's hands: for programs that are started, and for clients without the requests library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter

from conductor_mock.app import create_app
from conductor_mock.serving.environment import API_KEY, removed
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.mocking import home, new_account, variables


@contextmanager
def served(**settings: Any) -> Iterator[Fake]:
    """A server of its own for the length of the block, frozen without `speed`, and the process pointed at it."""
    options = Settings(**{"ephemeral": True, "speed": 0, **settings})
    with Server(create_app(options)) as server, of_server(server) as fake:
        yield fake


@contextmanager
def of_server(server: Server) -> Iterator[Fake]:
    """A new account of a server, emptied in the end, and the process pointed at it."""
    account = new_account()
    adapter = HTTPAdapter()
    control = Control(server.url, account, adapter)
    try:
        control.sign_in()
        fake = Fake(control, {**server.environment(), API_KEY: account.api_key()})
        try:
            with home() as folder, variables({**fake.environment, **folder}, removed(fake.environment)):
                yield fake
        finally:
            fake.reset()
    finally:
        adapter.close()
