"""A client for tests that never waits for wall time: what it would have waited is counted, and passes for the fake."""

from __future__ import annotations

from collections.abc import Mapping

from conductor.lib.api_client import ApiClient
from conductor.lib.config import Config
from conductor.lib.wire.transport import Transport
from conductor_mock.testkit.waits import Waits

__all__ = ["ApiClient", "waiting_client"]


def waiting_client(environment: Mapping[str, str], waits: Waits) -> ApiClient:
    """A client of the library, of what `environment` names, whose waits are counted. Close it."""
    config = Config.load(environ=environment)
    transport = Transport(
        environ=environment, sleep=waits.sleep, random=_half, now=waits.now, clock=waits.monotonic
    )
    return ApiClient(config, transport=transport)


def _half() -> float:
    """What a backoff draws, so that the same waits are counted in each run."""
    return 0.5
