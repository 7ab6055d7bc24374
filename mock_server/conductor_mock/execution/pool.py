"""Where runs happen: threads of this server, or a Dask cluster; both are `concurrent.futures.Executor`s."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from conductor_mock.execution import sandbox
from conductor_mock.execution.order import Sandbox

_DASK = re.compile(r"dask://([^/\s]+:[0-9]{1,5})/?")
CONNECT_S = 10


class ExecutorError(ValueError):
    """The executor that was asked for cannot be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Pool:
    """An executor, how many runs it takes at once, and how to give it back.

    `probe` says why runs cannot be put into a sandbox everywhere where they happen (empty: they can), `sandbox` into
    which they are put.
    """

    executor: Executor
    slots: int
    close: Callable[[], None]
    probe: Callable[[Sandbox], str]
    sandbox: Sandbox | None = None
    in_process: bool = False
    """Whether runs happen in this process, and open contents in its store."""
    client: Any = None
    """The cluster's client, if there is one."""


def open_pool(url: str | None, slots: int | None) -> Pool:
    """Threads of this process, or the Dask cluster at `dask://HOST:PORT`.

    `slots` None is one run per processor here, and one per worker thread there. Raises ExecutorError.
    """
    return _local(slots or os.cpu_count() or 1) if url is None else _dask(url, slots)


def _local(slots: int) -> Pool:
    executor = ThreadPoolExecutor(slots, thread_name_prefix="run")
    return Pool(executor, slots, executor.shutdown, sandbox.probe, in_process=True)


def _dask(url: str, slots: int | None) -> Pool:
    match = _DASK.fullmatch(url)
    if match is None:
        raise ExecutorError(f"must be dask://HOST:PORT, got {url[:80]!r}")
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise ExecutorError(f"needs pip install 'conductor-mock[dask]' ({error})") from None
    try:
        client = distributed.Client(f"tcp://{match[1]}", timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(f"no Dask scheduler answers at {match[1]}: {error}") from error
    threads = sum(client.nthreads().values())
    if not slots and not threads:
        client.close()
        raise ExecutorError(
            f"the Dask scheduler at {match[1]} has no workers; start some, or say --execute-slots"
        )
    executor: Executor = client.get_executor(pure=False)  # the same order twice is two runs

    def probe(wanted: Sandbox) -> str:
        said: dict[str, str] = client.run(sandbox.probe, wanted)
        return next((f"on the worker {worker}: {problem}" for worker, problem in said.items() if problem), "")

    return Pool(executor, slots or threads, client.close, probe, client=client)
