"""The `conductor-mock` command: serve the fake, run one command against it, print its environment."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import Commands, echo
from conductor_mock.app import close_app, create_app
from conductor_mock.catalog import CatalogError
from conductor_mock.commands import COMMANDS
from conductor_mock.commands.target import read_ready_file
from conductor_mock.execution.setup import ExecutionError
from conductor_mock.farm.clock import ClockError
from conductor_mock.faults.reading import FaultError
from conductor_mock.mailing.smtp import SmtpUrlError
from conductor_mock.serving import ready
from conductor_mock.serving.environment import client_environment, handed_out, merged, removed
from conductor_mock.serving.init import work_below_init
from conductor_mock.serving.limit import end_process, ends_within
from conductor_mock.serving.log_lines import JsonLines, TextLines
from conductor_mock.serving.server import AddressError, Server, write_ready_file
from conductor_mock.serving.signals import EndingSignals, ended_in_order
from conductor_mock.settings import (
    DEFAULT_PORT,
    MIB,
    NoHomeError,
    Settings,
    SettingsError,
    default_data_dir,
)
from conductor_mock.store.database import DatabaseError, first_line, is_locked
from conductor_mock.store.keys import KeysError, load_or_create
from conductor_mock.store.turns import give_way_sparingly
from conductor_mock.version import version

GRACE_S = 5
"""How long a stop waits for requests under way."""

END_S = 30
"""How long it takes in all: runs and mails under way are ended in seconds, snapshots of a million tasks take seven."""

UNUSABLE = 2
"""Exit code when the server cannot start: a port or directory in use, a newer directory, a wrong option."""


class Unusable(click.ClickException):
    """The server cannot start; the message says why."""

    exit_code = UNUSABLE


class _Program(Commands):
    """Commands that end in a sentence where the system fails them; as the program of a process, in order by signals."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the program of this process."""
        return work_below_init(lambda: self._run(*args, **kwargs), is_first=os.getpid() == 1)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        with ended_in_order():
            return self.main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except (OSError, SQLAlchemyError) as error:
            raise Unusable(f"the system refused: {first_line(error)}") from None
        except NoHomeError as error:
            raise Unusable(str(error)) from None


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
        click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option(
            "--provider", type=click.Choice(["gcs", "s3"]), help="Style of upload URLs. [new accounts: gcs]"
        ),
        click.option(
            "--part-size",
            type=click.IntRange(min=1),
            help="Larger files are uploaded in parts of so many bytes.",
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
            "--execute-slots", type=click.IntRange(min=1), help="Tasks that run at once. [one per processor]"
        ),
        click.option(
            "--execute-timeout",
            type=click.FloatRange(min=0, min_open=True),
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


@click.group(cls=_Program, commands=COMMANDS)
@click.version_option(version(), prog_name="conductor-mock")
def main() -> None:
    """A fake Conductor render farm for developing and testing submissions on one machine."""


@main.command()
@server_options
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 takes a free port.",
)
@click.option("--ready-file", type=LocalPath(path_type=Path), help="Written once connections are accepted.")
def serve(port: int, ready_file: Path | None, host: str, log_format: str, **options: Any) -> None:
    """Serve the fake until SIGTERM or Ctrl-C."""
    _set_up_logging(log_format)
    if ready_file is not None:
        _clear_ready(ready_file)
    with (
        EndingSignals() as signals,
        _serving(_open_server(host, port, options)) as server,
        _announced(server, ready_file),
    ):
        echo(f"conductor-mock {version()} at {server.url}", err=True)
        echo(_hint(server, ready_file, options), err=True)
        signals.next()
        echo("stopping", err=True)


@main.command(context_settings={"ignore_unknown_options": True})
@server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: Sequence[str], host: str, log_format: str, **options: Any) -> None:
    """Start a private fake on a free port, run COMMAND with its environment set, stop the fake.

    Data is thrown away unless --data-dir is given. The exit code is that of COMMAND.
    """
    _set_up_logging(log_format, level=logging.WARNING)
    if options["data_dir"] is None and options["database_url"] is None:
        options["ephemeral"] = True
    with (
        EndingSignals() as signals,
        _serving(_open_server(host, 0, options)) as server,
        _announced(server, None),
    ):
        code = _run_command(command, server.environment(), signals)
    sys.exit(code)


@main.command()
@click.option(
    "--folder",
    type=LocalPath(path_type=Path, file_okay=False),
    help="Where the project and its frames are to be.  [default: a new folder for temporary files]",
)
def demo(folder: Path | None) -> None:
    """Run the documented quick start against a throw-away fake, and download the frames that come of it."""
    from rich.console import Console

    from conductor_mock.demo import DemoError, run_demo

    try:
        place = folder or Path(tempfile.mkdtemp(prefix="conductor-demo-"))
        run_demo(
            Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False),
            place.resolve(),
        )
    except DemoError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"the project cannot be made: {error}") from None


@main.command()
@click.option(
    "--url", help="Where the server listens, if it keeps its data elsewhere than it looks from here."
)
@click.option(
    "--data-dir",
    type=LocalPath(path_type=Path, file_okay=False),
    help="The data directory whose server is meant.  [default: yours]",
)
@click.option(
    "--ready-file",
    type=LocalPath(path_type=Path, dir_okay=False),
    help="The file that 'serve --ready-file' wrote, instead of both.",
)
def env(url: str | None, data_dir: Path | None, ready_file: Path | None) -> None:
    """Print lines that point a shell's clients at the server that runs: eval "$(conductor-mock env)"."""
    if ready_file is None:
        given = _environment_of(url, data_dir or default_data_dir())
    elif url is not None or data_dir is not None:
        raise Unusable("--ready-file tells all that --url and --data-dir do; give it alone")
    else:
        given = read_ready_file(ready_file)["env"]
    for name, value in merged(os.environ, given).items():
        echo(f"export {name}={shlex.quote(value)}", raw=True)
    echo(f"unset {' '.join(removed(given))}")


def _environment_of(url: str | None, directory: Path) -> dict[str, str]:
    """The environment for the server of a data directory, or for the one at `url` with the keys of that directory."""
    if not directory.is_dir():
        raise Unusable(f"there is no data directory {directory}; start 'conductor-mock serve' first")
    if url is None:
        found = ready.read(directory / ready.OWN_FILE) if is_locked(directory / "lock") else None
        if found is None:
            raise Unusable(
                f"no server runs on the data directory {directory}; start 'conductor-mock serve' first, or name one "
                "that runs with --data-dir or --ready-file"
            )
        return dict(found["env"])
    try:
        keys = load_or_create(directory)
    except (KeysError, OSError) as error:
        raise Unusable(str(error)) from None
    return client_environment(url, keys)


def _open_server(host: str, port: int, options: dict[str, Any]) -> Server:
    if options["ephemeral"] and options["data_dir"] is not None:
        raise Unusable("--ephemeral and --data-dir exclude each other")
    if options["ephemeral"] and options["database_url"] is not None:
        raise Unusable(
            "--ephemeral and --database-url exclude each other: the files of its log would be lost"
        )
    catalog = options.pop("catalog")
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    settings = Settings(
        data_dir=options["data_dir"],
        ephemeral=options["ephemeral"],
        database_url=options["database_url"],
        speed=options["speed"],
        seed=options["seed"],
        fleet=options["fleet"],
        provider=options["provider"],
        part_size=options["part_size"],
        release_scouts=options["release_scouts"],
        strict=options["strict"],
        catalog=catalog,
        token_ttl_s=options["token_ttl"],
        url_ttl_s=options["url_ttl"],
        allow_hosts=(*options["allow_host"], *(() if loopback else (host,))),
        faults=options["faults"],
        honour_keys=not options["ignore_idempotency_keys"],
        admin_token=options["admin_token"] or None,
        smtp=options["smtp"],
        execute=options["execute"],
        executor=options["executor"],
        execute_slots=options["execute_slots"],
        execute_timeout_s=options["execute_timeout"],
        execute_max_output=options["execute_max_output"],
        trust_proxy=options["trust_proxy"],
        loopback=loopback and not options["trust_proxy"],
    )
    try:
        app = create_app(settings, give_way=give_way_sparingly)  # this process is ours alone
    except (
        DatabaseError,
        NoHomeError,
        KeysError,
        CatalogError,
        FaultError,
        ExecutionError,
        SettingsError,
    ) as error:
        raise Unusable(str(error)) from None
    except SmtpUrlError as error:
        raise Unusable(f"--smtp {error}") from None
    except ClockError as error:
        raise Unusable(f"--speed {error}") from None
    except OSError as error:
        raise Unusable(f"cannot use the data directory: {error}") from None
    try:
        return Server(app, host=host, port=port, grace_s=GRACE_S)
    except AddressError as error:
        close_app(app)
        raise Unusable(str(error)) from None
    except BaseException:
        close_app(app)
        raise


@contextmanager
def _serving(server: Server) -> Iterator[Server]:
    """Serve; at the end the server is stopped, or the process is ended."""
    server.start()
    try:
        yield server
    finally:
        with ends_within(END_S, _give_up):
            server.stop()


def _give_up() -> None:
    echo(f"Error: the stop did not end in {END_S} s; nothing that was acknowledged is lost", err=True)
    end_process(UNUSABLE)


def _clear_ready(path: Path) -> None:
    """Take away what another server has left, before anybody can take it for ours."""
    try:
        ready.clear(path)
    except OSError as error:
        raise Unusable(f"cannot write the ready file {path}: {error.strerror or error}") from None


@contextmanager
def _announced(server: Server, ready_file: Path | None) -> Iterator[None]:
    """As long as it is open, the ready files say that the server runs: its own, and the one that was asked for."""
    paths = [server.directory / ready.OWN_FILE, *([] if ready_file is None else [ready_file])]
    try:
        for path in paths:
            try:
                write_ready_file(path, server)
            except OSError as error:
                raise Unusable(f"cannot write the ready file {path}: {error.strerror or error}") from None
        yield
    finally:
        for path in paths:
            with suppress(OSError):  # it tells of a process that is gone, which `env` finds out
                ready.clear(path, pid=os.getpid())


def _hint(server: Server, ready_file: Path | None, options: dict[str, Any]) -> str:
    """How clients come to the right environment."""
    if ready_file is not None:
        arguments = ["--ready-file", str(ready_file)]
    elif options["ephemeral"]:
        return "clients find its URL and key in the file of --ready-file, which was not asked for"
    else:
        arguments = [] if options["data_dir"] is None else ["--data-dir", str(options["data_dir"])]
    return f'point clients at it with: eval "$({shlex.join(["conductor-mock", "env", *arguments])})"'


def _run_command(command: Sequence[str], environment: dict[str, str], signals: EndingSignals) -> int:
    """Run `command` to its end, handing on the signals that end us; its exit code (128 + signal when killed)."""
    try:
        child = subprocess.Popen(list(command), env=handed_out(os.environ, environment))
    except OSError as error:
        raise Unusable(f"cannot run {command[0]}: {error.strerror or error}") from None

    def wait() -> None:
        child.wait()
        signals.wake()

    waiting = threading.Thread(target=wait, name="command", daemon=True)
    waiting.start()
    while number := signals.next():
        if not _came_from_terminal(number):  # it sends to the whole group, the command among it
            child.send_signal(number)
    waiting.join()
    code = child.returncode
    return code if code >= 0 else 128 - code


def _came_from_terminal(number: int) -> bool:
    """Whether a signal came by Ctrl-C: then this process is in the foreground of its terminal."""
    if number != signal.SIGINT:
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _set_up_logging(form: str, level: int = logging.INFO) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if form == "json" else TextLines("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler])
