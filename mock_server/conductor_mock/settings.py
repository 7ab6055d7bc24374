"""Settings of one server: what `conductor-mock serve` takes, as a value that is handed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

MIB = 1024 * 1024
GIB = 1024 * MIB
DEFAULT_PORT = 8089
MAX_CONNECTIONS = 4096
HEAD_TIMEOUT_S = 20
CLIENT_TIMEOUT_S = 60
LEAST_RATE = 1024
MOST_OPEN = 1000
IDLE_S = 3600
SWEEP_EVERY_S = 3600
MAX_JOURNAL_BYTES = 64 * MIB
MAX_FETCHED_BYTES = 10 * GIB
EXECUTOR_FOLDER = "/var/tmp/conductor-mock"  # noqa: S108 - each worker looks whose it is


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much of what is kept. The server's own account is there in any case."""

    accounts: int = 10_000
    jobs: int = 100_000
    """Of one account, from one reset to the next."""
    account_bytes: int = 1024 * GIB
    """Contents that one account stores, outputs and parts of uploads with them."""
    bytes: int = 4096 * GIB
    """Of all accounts; a content that two of them store counts twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting has a default that suits a person at a terminal.

    `data_dir` None means the user's data folder; `ephemeral` means a throw-away folder instead. `speed`, `seed`,
    `fleet`, `provider`, `part_size` and `release_scouts` None keep what an account's log says (1, a fixed seed, no
    limit, gcs, 1 GiB and False for a new account). `catalog` None is the shipped one. `token_ttl_s` and `url_ttl_s`
    are wall seconds. With `execute` the tasks of the default account run for real, `execute_slots` at once (None:
    one per processor), each at most `execute_timeout_s` wall seconds, `execute_max_output` bytes, `execute_processes`
    processes and `execute_memory` bytes of memory; `executor` names a Dask cluster to run them on.
    """

    data_dir: Path | None = None
    ephemeral: bool = False
    database_url: str | None = None
    objects: str | None = None
    """`s3://BUCKET/PREFIX`, where contents lie instead of in the data directory."""
    objects_endpoint: str | None = None
    """The URL of the store that has the bucket; None is AWS_ENDPOINT_URL, or AWS."""
    max_fetched_bytes: int = MAX_FETCHED_BYTES
    """Of contents in a bucket, kept on this machine for tasks that run for real."""
    speed: float | None = None
    seed: int | None = None
    fleet: int | None = None
    provider: str | None = None
    part_size: int | None = None
    release_scouts: bool | None = None
    strict: bool = False
    catalog: Path | str | None = None
    token_ttl_s: int = 3600
    url_ttl_s: int = 24 * 3600
    max_json_bytes: int = 128 * MIB
    max_unsized_bytes: int = 5 * 1024 * MIB
    """Bytes of an upload whose URL names no size, as those of the older form do. Object stores take as much at once."""
    allow_hosts: tuple[str, ...] = ()
    trust_proxy: int = 0
    """How many proxies in front say in `X-Forwarded-` headers what the client asked for; others are not listened to."""
    faults: Path | None = None
    """A file of fault rules for the default account."""
    keys: Path | None = None
    """A file of the signing key and the default API key, instead of those in the data directory; made if missing."""
    honour_keys: bool = True
    """Whether an Idempotency-Key is honoured and announced; the real service does neither."""
    admin_token: str | None = None
    smtp: str | None = None
    """Where mails of ended jobs are sent, `smtp://[user:password@]host[:port]`; None keeps them in the outbox alone."""
    execute: bool = False
    executor: str | None = None
    executor_url: str | None = None
    """Where its workers reach this server, if they do not share its disk."""
    executor_folder: str = EXECUTOR_FOLDER
    """Where such workers keep the folders of runs."""
    execute_slots: int | None = None
    execute_timeout_s: float = 3600
    execute_max_output: int = 10 * 1024 * MIB
    execute_processes: int = 512
    execute_memory: int | None = None
    execute_account: str | None = None
    """The `client_id` of the account whose tasks run for real; None is the default account."""
    execute_sandbox: str = "auto"
    """`bubblewrap`, `none`, or `auto`: bubblewrap where it works."""
    execute_network: bool = False
    execute_read: tuple[str, ...] = ()
    """Paths of the machine that tasks in a sandbox can read besides its programs."""
    max_connections: int = MAX_CONNECTIONS
    """All together; those that say nothing make room for others."""
    head_timeout_s: float = HEAD_TIMEOUT_S
    """From the first byte of a request's head to its end."""
    client_timeout_s: float = CLIENT_TIMEOUT_S
    """How long a client may be silent in the middle of a request, or read nothing of an answer."""
    least_rate: int = LEAST_RATE
    """Bytes a second at which a body or an answer moves on, else `client_timeout_s` runs out."""
    quotas: Quotas = field(default_factory=Quotas)
    """How much accounts and the server may keep."""
    max_journal_bytes: int = MAX_JOURNAL_BYTES
    max_open_accounts: int = MOST_OPEN
    """Accounts whose state is in memory."""
    idle_s: float = IDLE_S
    """Wall seconds after which an account that nobody uses leaves memory."""
    sweep_every_s: float = SWEEP_EVERY_S
    """Wall seconds between two looks for what nothing refers to."""
    shared: bool = False
    """Whether other servers have the same data, each of them with this setting."""
    loopback: bool = True
    """Whether only this machine reaches it: bound to a loopback address, no proxy. If not, the control API wants
    `admin_token`.
    """


class SettingsError(ValueError):
    """A setting that an account cannot have; the text names it, and says what is accepted."""


class NoHomeError(Exception):
    """There is no home folder to keep data in."""


def default_data_dir() -> Path:
    """Where data lies when neither `--data-dir` nor `--ephemeral` is given. Raises NoHomeError."""
    try:
        directory = Path(platformdirs.user_data_dir("conductor-mock", appauthor=False))
    except RuntimeError:
        directory = Path("~")
    if not directory.is_absolute():  # older platformdirs leave `~` as it is, a folder of that name here
        raise NoHomeError(
            "there is no home folder to keep data in: set HOME, or give --data-dir or --ephemeral"
        )
    return directory
