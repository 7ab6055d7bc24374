"""From settings to a driver, or to the reason why nothing is run for real."""

from __future__ import annotations

import re
from pathlib import Path

from conductor_mock.execution import leftovers, processes
from conductor_mock.execution.driver import Driver, Storage
from conductor_mock.execution.order import Limits
from conductor_mock.execution.pool import ExecutorError, Pool, open_pool
from conductor_mock.settings import Settings
from conductor_mock.store.keys import Keys

_PLAIN = re.compile(r"[A-Za-z0-9_./+@%-]+")


class ExecutionError(ValueError):
    """Tasks cannot be run for real here; the text says why, and begins with the option to change."""


def prepare(settings: Settings, directory: Path) -> Pool | None:
    """Where runs will happen, or None when tasks are simulated. Raises ExecutionError.

    Whatever an earlier server left running in this data directory is ended in either case.
    """
    leftovers.end_all(directory)
    if not settings.execute:
        if settings.executor is not None:
            raise ExecutionError("--executor says where tasks run: it needs --execute too")
        return None
    if not settings.loopback:
        raise ExecutionError(
            "--execute runs what is submitted as a command of this machine: it is refused on an address that other "
            "machines reach; listen on 127.0.0.1, without --trust-proxy"
        )
    if not processes.is_supported():
        raise ExecutionError(
            "--execute needs Linux: elsewhere processes cannot be found again and ended surely"
        )
    if not _PLAIN.fullmatch(str(directory.resolve())):
        raise ExecutionError(
            f"--execute puts paths of the data directory into commands, where a shell would misread {directory}; "
            "name another one with --data-dir"
        )
    try:
        return open_pool(settings.executor, settings.execute_slots)
    except ExecutorError as error:
        raise ExecutionError(f"--executor {error}") from error


def begin(settings: Settings, directory: Path, pool: Pool, keys: Keys, storage: Storage) -> Driver:
    """Drive the default account. Raises ExecutionError, OSError.

    Only that account runs commands: its key is in a file that nobody else reads, while anybody who reaches the port
    could open another one.
    """
    account_id = storage.accounts.sign_in(keys.client_id, keys.private_key)
    if not storage.accounts.was_opened_with(account_id, keys.private_key):
        raise ExecutionError(
            f"--execute runs the jobs of the account {keys.client_id!r}, which somebody opened with another key than "
            f"the one in {directory / 'keys.json'}; use another data directory"
        )
    limits = Limits(timeout_s=settings.execute_timeout_s, output=settings.execute_max_output)
    return Driver(account_id, storage, directory.resolve(), pool, limits)
