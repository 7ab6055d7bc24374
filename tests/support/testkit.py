"""A submitter of a few lines, for the tests of the test kit."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from conductor.lib.api_client import ApiClient
from conductor.lib.config import Config
from conductor.lib.wire.transport import Transport

T = TypeVar("T")

JOB = {
    "project": "default",
    "instance_type": "n1-standard-2",
    "tasks_data": [{"command": "render -f 1", "frames": "1"}, {"command": "render -f 2", "frames": "2"}],
    "output_path": "/proj/out",
}


def client() -> ApiClient:
    """A client of whatever the environment names, which never waits."""
    return ApiClient(Config.load(), transport=Transport(sleep=lambda _: None))


def submit(**more: Any) -> str:
    """Submit `JOB` to whatever the environment names, and return its id."""
    with client() as opened:
        return str(opened.create_job({**JOB, **more})[0]["jobid"])


def run_in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run it in an event loop of a thread's own: what drives a browser keeps one in the thread of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
