"""What `serve` and `run` take, and the settings that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from conductor_contracts.paths import LocalPath
from conductor_mock.cli.unusable import Unusable
from conductor_mock.commands.clock import finite
from conductor_mock.settings import (
    CLIENT_TIMEOUT_S,
    EXECUTOR_FOLDER,
    HEAD_TIMEOUT_S,
    IDLE_S,
    LEAST_RATE,
    MAX_CONNECTIONS,
    MAX_FETCHED_BYTES,
    MAX_JOURNAL_BYTES,
    MIB,
    MOST_OPEN,
    SWEEP_EVERY_S,
    Quotas,
    Settings,
)

MAX_TIMEOUT_S = 1_000_000
"""Days; the system's waits count milliseconds in 31 bits."""

F = TypeVar("F", bound=Callable[..., Any])


def server_options(command: F) -> F:
    """The options that `serve` and `run` share."""
    options = [
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        click.option(
            "--data-dir", type=LocalPath(path_type=Path, file_okay=False), help="Where data is kept."
        ),
        click.option("--ephemeral", is_flag=True, help="Keep data in a throw-away folder."),
        click.option("--database-url", help="A SQLAlchemy URL (SQLite or PostgreSQL) for the command log."),
        *objects_options(),
        click.option(
            "--max-fetched-bytes",
            type=click.IntRange(min=0),
            default=MAX_FETCHED_BYTES,
            show_default=True,
            help="Bytes of contents in a bucket that are kept here for tasks that run.",
        ),
        click.option(
            "--shared",
            is_flag=True,
            help="Other servers have the same data, each of them with this option.",
        ),
        click.option(
            "--keys",
            type=LocalPath(path_type=Path, dir_okay=False),
            help="A file of the signing key and the default API key, for several servers; made if missing.",
        ),
        click.option(
            "--speed", type=float, help="Simulated seconds per second; 0 is frozen. [new accounts: 1]"
        ),
        click.option("--seed", type=click.IntRange(min=0), help="Seed of the simulation. [new accounts: 1]"),
        click.option("--fleet", type=click.IntRange(min=0), help="Most instances at once; 0 is no limit."),
        click.option("--strict", is_flag=True, help="Refuse (400) what the contract does not know."),
        click.option(
            "--catalog",
            type=LocalPath(),
            metavar="FILE|gcp|aws|coreweave|2018",
            help="A file of packages, projects and instance types, or a shipped catalogue.  [default: gcp]",
        ),
        click.option(
            "--token-ttl",
            type=click.IntRange(min=1),
            default=3600,
            show_default=True,
            help="Seconds a token lives.",
        ),
        click.option(
            "--url-ttl",
            type=click.IntRange(min=1),
            default=86400,
            show_default=True,
            help="Seconds a URL lives.",
        ),
        click.option(
            "--allow-host", multiple=True, metavar="NAME", help="A host name the control API answers to."
        ),
        click.option(
            "--trust-proxy",
            type=click.IntRange(min=0),
            default=0,
            metavar="N",
            help="Believe the X-Forwarded-Proto, -Host and -Prefix of so many proxies in front.",
        ),
        click.option(
            "--admin-token",
            envvar="CONDUCTOR_MOCK_ADMIN_TOKEN",
            help="A token that the control API then requires.",
        ),
        click.option(
            "--max-connections",
            type=click.IntRange(min=16),
            default=MAX_CONNECTIONS,
            show_default=True,
            help="Connections at once; those that say nothing make room.",
        ),
        click.option(
            "--head-timeout",
            type=click.FloatRange(min=0, min_open=True, max=MAX_TIMEOUT_S),
            default=HEAD_TIMEOUT_S,
            show_default=True,
            help="Seconds the head of a request may take.",
        ),
        click.option(
            "--client-timeout",
            type=click.FloatRange(min=0, min_open=True, max=MAX_TIMEOUT_S),
            default=CLIENT_TIMEOUT_S,
            show_default=True,
            help="Seconds a client may be silent in a body, or read nothing of an answer.",
        ),
        click.option(
            "--least-rate",
            type=click.IntRange(min=1),
            default=LEAST_RATE,
            show_default=True,
            help="Bytes a second of a body or an answer, else that time runs out.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Lines of text, or an object of JSON on each.",
        ),
        click.option(
            "--provider", type=click.Choice(["gcs", "s3"]), help="Style of upload URLs. [new accounts: gcs]"
        ),
        click.option(
            "--part-size",
            type=click.IntRange(min=1),
            help="Larger files are uploaded in parts of so many bytes.",
        ),
        click.option(
            "--max-unsized-upload",
            type=click.IntRange(min=1),
            default=5 * 1024 * MIB,
            show_default=True,
            help="Most bytes of an upload whose URL names no size.",
        ),
        _quota("--max-accounts", Quotas().accounts, "Accounts, the default one apart."),
        _quota("--max-jobs", Quotas().jobs, "Jobs of an account, from one reset to the next."),
        _quota("--max-account-bytes", Quotas().account_bytes, "Bytes that an account may store."),
        _quota("--max-bytes", Quotas().bytes, "Bytes that all accounts may store."),
        _quota(
            "--max-journal-bytes", MAX_JOURNAL_BYTES, "Bytes of the journal; the oldest entries go first."
        ),
        _quota("--max-open-accounts", MOST_OPEN, "Accounts in memory; the longest unused is written down."),
        click.option(
            "--close-idle-after",
            type=click.FloatRange(min=1, max=MAX_TIMEOUT_S),
            default=IDLE_S,
            show_default=True,
            help="Seconds until an account that nobody uses is written down and leaves memory.",
        ),
        click.option(
            "--sweep-every",
            type=click.FloatRange(min=1, max=MAX_TIMEOUT_S),
            default=SWEEP_EVERY_S,
            show_default=True,
            help="Seconds between two looks for files that nothing refers to.",
        ),
        click.option(
            "--release-scouts/--no-release-scouts",
            default=None,
            help="Whether tasks that wait for scouts start by themselves. [new accounts: no]",
        ),
        click.option(
            "--ignore-idempotency-keys",
            is_flag=True,
            help="Ignore the Idempotency-Key of a request, as the real service does.",
        ),
        click.option("--execute", is_flag=True, help="Run the tasks of the default account for real, here."),
        click.option("--executor", metavar="dask://HOST:PORT", help="Run them on a Dask cluster instead."),
        click.option(
            "--executor-url", metavar="URL", help="Where its workers reach this server, without its disk."
        ),
        click.option(
            "--executor-folder",
            default=EXECUTOR_FOLDER,
            show_default=True,
            help="Where such workers keep the folders of tasks.",
        ),
        click.option(
            "--execute-slots", type=click.IntRange(min=1), help="Tasks that run at once. [one per processor]"
        ),
        click.option(
            "--execute-timeout",
            type=click.FloatRange(min=0, min_open=True),
            callback=finite,
            default=3600,
            show_default=True,
            help="Seconds a task may run.",
        ),
        click.option(
            "--execute-max-output",
            type=click.IntRange(min=1),
            default=10 * 1024 * MIB,
            show_default=True,
            help="Bytes a task may write.",
        ),
        click.option(
            "--execute-memory", type=click.IntRange(min=1), help="Bytes of memory a task may use. [no limit]"
        ),
        click.option(
            "--execute-processes",
            type=click.IntRange(min=1),
            default=512,
            show_default=True,
            help="Processes a task may have at once.",
        ),
        click.option(
            "--execute-sandbox",
            type=click.Choice(["auto", "bubblewrap", "none"]),
            default="auto",
            show_default=True,
            help="What keeps tasks from the rest of the machine; auto is bubblewrap where it works.",
        ),
        click.option("--execute-network", is_flag=True, help="Leave tasks in a sandbox the network."),
        click.option(
            "--execute-read",
            type=LocalPath(resolve_path=True),
            multiple=True,
            metavar="PATH",
            help="A path that tasks in a sandbox can read, besides the machine's programs.",
        ),
        click.option("--execute-account", metavar="CLIENT_ID", help="Whose tasks run. [the default account]"),
        click.option(
            "--faults",
            type=LocalPath(path_type=Path, dir_okay=False),
            help="A YAML or JSON list of fault rules, for the default account.",
        ),
        click.option(
            "--smtp",
            metavar="URL",
            envvar="CONDUCTOR_MOCK_SMTP",
            help="Send mails of ended jobs: smtp://[user:password@]host[:port], or smtps://.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def objects_options() -> list[Callable[[F], F]]:
    """The options that say in which bucket contents lie."""
    return [
        click.option(
            "--objects",
            metavar="s3://BUCKET/PREFIX",
            help="Keep contents of files in a bucket, instead of in the data directory.",
        ),
        click.option(
            "--objects-endpoint",
            metavar="URL",
            help="The store that has the bucket. [AWS_ENDPOINT_URL, or AWS]",
        ),
    ]


def _quota(name: str, default: int, help_: str) -> Callable[[F], F]:
    return click.option(name, type=click.IntRange(min=1), default=default, show_default=True, help=help_)


def settings_of(host: str, options: Mapping[str, Any]) -> Settings:
    """The settings of a server on `host` that `server_options` gave. Raises Unusable for what excludes each other."""
    if options["ephemeral"] and options["data_dir"] is not None:
        raise Unusable("--ephemeral and --data-dir exclude each other")
    if options["ephemeral"] and options["database_url"] is not None:
        raise Unusable(
            "--ephemeral and --database-url exclude each other: the files of its log would be lost"
        )
    if options["ephemeral"] and options["shared"]:
        raise Unusable(
            "--ephemeral and --shared exclude each other: others would lose what this one throws away"
        )
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    return Settings(
        data_dir=options["data_dir"],
        ephemeral=options["ephemeral"],
        database_url=options["database_url"],
        keys=options["keys"],
        shared=options["shared"],
        objects=options["objects"],
        objects_endpoint=options["objects_endpoint"],
        max_fetched_bytes=options["max_fetched_bytes"],
        speed=options["speed"],
        seed=options["seed"],
        fleet=options["fleet"],
        provider=options["provider"],
        part_size=options["part_size"],
        max_unsized_bytes=options["max_unsized_upload"],
        quotas=Quotas(
            accounts=options["max_accounts"],
            jobs=options["max_jobs"],
            account_bytes=options["max_account_bytes"],
            bytes=options["max_bytes"],
        ),
        max_open_accounts=options["max_open_accounts"],
        idle_s=options["close_idle_after"],
        sweep_every_s=options["sweep_every"],
        max_journal_bytes=options["max_journal_bytes"],
        release_scouts=options["release_scouts"],
        strict=options["strict"],
        catalog=options["catalog"],
        token_ttl_s=options["token_ttl"],
        url_ttl_s=options["url_ttl"],
        allow_hosts=(*options["allow_host"], *(() if loopback else (host,))),
        faults=options["faults"],
        honour_keys=not options["ignore_idempotency_keys"],
        admin_token=options["admin_token"] or None,
        smtp=options["smtp"],
        execute=options["execute"],
        executor=options["executor"],
        executor_url=options["executor_url"],
        executor_folder=options["executor_folder"],
        execute_slots=options["execute_slots"],
        execute_timeout_s=options["execute_timeout"],
        execute_max_output=options["execute_max_output"],
        execute_memory=options["execute_memory"],
        execute_processes=options["execute_processes"],
        execute_sandbox=options["execute_sandbox"],
        execute_network=options["execute_network"],
        execute_read=options["execute_read"],
        execute_account=options["execute_account"],
        trust_proxy=options["trust_proxy"],
        max_connections=options["max_connections"],
        head_timeout_s=options["head_timeout"],
        client_timeout_s=options["client_timeout"],
        least_rate=options["least_rate"],
        loopback=loopback and not options["trust_proxy"],
    )
