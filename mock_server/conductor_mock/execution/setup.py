"""From settings to what drives, or to the reason why nothing is run for real."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conductor_mock.auth.signing import Signer
from conductor_mock.auth.unnamed import ID_TOKEN, PROMPT_NONE
from conductor_mock.execution import leftovers, processes
from conductor_mock.execution.driver import Driver, Storage
from conductor_mock.execution.driving import Driving
from conductor_mock.execution.errors import ExecutionError
from conductor_mock.execution.links import Links
from conductor_mock.execution.order import Limits, Sandbox
from conductor_mock.execution.pool import ExecutorError, Pool, open_pool
from conductor_mock.farm import ids
from conductor_mock.settings import Settings
from conductor_mock.store.keys import Keys

if TYPE_CHECKING:
    from conductor_mock.execution.remote import Remote

log = logging.getLogger(__name__)

_PLAIN = re.compile(r"[A-Za-z0-9_./+@%-]+")


def prepare(settings: Settings, directory: Path) -> Pool | None:
    """Where runs will happen, or None when tasks are simulated. Raises ExecutionError.

    Whatever an earlier server left running in this data directory is ended in either case, but for what another one
    of several drives.
    """
    leftovers.end_if_left(directory)
    if not settings.execute:
        if settings.executor is not None:
            raise ExecutionError("--executor says where tasks run: it needs --execute too")
        return None
    _check_sharing(settings)
    if not settings.loopback:
        _check_reached(settings)
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
        pool = open_pool(settings.executor, settings.execute_slots)
    except ExecutorError as error:
        raise ExecutionError(f"--executor {error}") from error
    try:
        return replace(pool, sandbox=_sandbox(settings, pool))
    except BaseException:
        pool.close()
        raise


def _check_sharing(settings: Settings) -> None:
    """Refuse what workers could not get at. Raises ExecutionError."""
    if settings.executor_url is not None:
        if settings.executor is None:
            raise ExecutionError("--executor-url is for the workers of --executor: name them too")
        parts = urlsplit(settings.executor_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or parts.query:
            raise ExecutionError(
                f"--executor-url must be where workers reach this server, http://HOST:PORT, got "
                f"{settings.executor_url[:80]!r}"
            )
        if not _PLAIN.fullmatch(settings.executor_folder) or not settings.executor_folder.startswith("/"):
            raise ExecutionError(
                "--executor-folder must be an absolute path of letters, digits and _./+@%-, which stands in commands"
            )
    elif settings.executor is not None and settings.objects is not None:
        raise ExecutionError(
            "--objects leaves no contents on the disk that workers share: give --executor-url, so that they fetch them"
        )


def _check_reached(settings: Settings) -> None:
    """What an address that other machines reach needs. Raises ExecutionError."""
    missing = [
        option
        for option, value in (
            ("--executor", settings.executor),
            ("--execute-account", settings.execute_account),
        )
        if not value
    ]
    if missing:
        raise ExecutionError(
            "--execute runs what is submitted as a command: on an address that other machines reach it needs "
            f"{' and '.join(missing)}, so that commands run elsewhere, and only for an account whose key "
            "its owner has; or listen on 127.0.0.1, without --trust-proxy"
        )


def _sandbox(settings: Settings, pool: Pool) -> Sandbox | None:
    """The sandbox that tasks are put into, and a line in the log that says which. Raises ExecutionError."""
    relative = [path for path in settings.execute_read if not os.path.isabs(path)]  # noqa: PTH117 - a text
    if relative:
        raise ExecutionError(f"--execute-read needs an absolute path, got {relative[0]!r}")
    wanted = Sandbox(settings.execute_network, settings.execute_read)
    problem = "it is turned off (--execute-sandbox none)"
    if settings.execute_sandbox != "none":
        problem = pool.probe(wanted)
        if not problem:
            network = "with the network" if wanted.network else "without network"
            log.info("tasks run for real in a sandbox of bubblewrap, %s", network)
            return wanted
        if settings.execute_sandbox == "bubblewrap":
            raise ExecutionError(f"--execute-sandbox bubblewrap: {problem}")
    log.warning("tasks run for real without a sandbox, and reach whatever you can: %s", problem)
    return None


def driving(
    settings: Settings,
    directory: Path,
    pool: Pool,
    keys: Keys,
    storage: Storage,
    *,
    may_start: Callable[[], bool],
) -> Driving:
    """What drives the default account, or the one that is named, once it is started. Raises ExecutionError.

    Only that account runs commands: its key is in a file that nobody else reads, or was known before, while anybody who
    reaches the port could open another one. `may_start` is as in `Driver`.
    """
    account_id = _executed(settings, directory, keys, storage)
    whole = directory.resolve()
    remote = _remote(settings, account_id, pool, keys, storage)

    def drive() -> Driver:
        return Driver(account_id, storage, whole, pool, _limits(settings), remote, may_start=may_start)

    return Driving(whole, drive, remote)


def _executed(settings: Settings, directory: Path, keys: Keys, storage: Storage) -> str:
    """The account whose tasks run. Raises ExecutionError."""
    if settings.execute_account not in (None, keys.client_id):
        return _named(str(settings.execute_account), storage)
    account_id = storage.accounts.sign_in(keys.client_id, keys.private_key)
    if not storage.accounts.was_opened_with(account_id, keys.private_key):
        raise ExecutionError(
            f"--execute runs the jobs of the account {keys.client_id!r}, which somebody opened with another key than "
            f"the one in {directory / 'keys.json'}; use another data directory"
        )
    return account_id


def _remote(settings: Settings, account_id: str, pool: Pool, keys: Keys, storage: Storage) -> Remote | None:
    """The workers that share no disk with this server, if they are such."""
    if settings.executor_url is None:
        return None
    from conductor_mock.execution.remote import Remote  # only here: it brings requests

    origin = settings.executor_url.rstrip("/")
    links = Links(Signer(keys.signing_key), origin, account_id, settings.url_ttl_s, storage.wall)
    return Remote(pool.client, pool.executor, Path(settings.executor_folder), links)


def _named(client_id: str, storage: Storage) -> str:
    """The account of this `client_id`, if only its owner's key opens it. Raises ExecutionError."""
    account_id = ids.account_id(client_id)
    if client_id in (ID_TOKEN, PROMPT_NONE) or "@" in client_id:
        raise ExecutionError(
            f"--execute-account {client_id!r} is reached without a key: name an account that has one"
        )
    if not storage.accounts.knows(account_id):
        raise ExecutionError(
            f"--execute-account: there is no account {client_id!r} here, so that it would be the first visitor's; sign "
            "in with its key before, at a server on the same data directory without --execute"
        )
    return account_id


def _limits(settings: Settings) -> Limits:
    return Limits(
        timeout_s=settings.execute_timeout_s,
        output=settings.execute_max_output,
        processes=settings.execute_processes,
        memory=settings.execute_memory,
    )
