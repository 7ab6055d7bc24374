"""Serve the fake, run one command against it, print its environment."""

from __future__ import annotations

import json
import logging
import os
import shlex
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from conductor_contracts.groups import Commands, completion
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_mock.app import close_app, create_app
from conductor_mock.catalog import CatalogError
from conductor_mock.cli.called import called
from conductor_mock.cli.child import run_command
from conductor_mock.cli.data import DATA_COMMANDS
from conductor_mock.cli.options import MAX_TIMEOUT_S, server_options, settings_of
from conductor_mock.cli.unusable import UNUSABLE, Unusable
from conductor_mock.commands import COMMANDS
from conductor_mock.commands.target import read_ready_file
from conductor_mock.execution.errors import ExecutionError
from conductor_mock.farm.clock import ClockError
from conductor_mock.faults.reading import FaultError
from conductor_mock.mailing.errors import SmtpUrlError
from conductor_mock.serving import ready
from conductor_mock.serving.environment import client_environment, merged, removed
from conductor_mock.serving.init import work_below_init
from conductor_mock.serving.limit import end_process, ends_within
from conductor_mock.serving.log_lines import BatchedLines, JsonLines, TextLines
from conductor_mock.serving.server import AddressError, Announced, Server, bind, write_ready_file
from conductor_mock.serving.signals import EndingSignals, ended_in_order
from conductor_mock.settings import (
    DEFAULT_PORT,
    NoHomeError,
    Settings,
    SettingsError,
    default_data_dir,
)
from conductor_mock.store.database import DatabaseError, is_locked
from conductor_mock.store.keys import Keys, KeysError, load_or_create, load_or_create_file
from conductor_mock.store.log import DamagedLogError
from conductor_mock.store.trouble import first_line, is_out_of_files
from conductor_mock.store.turns import give_way_sparingly
from conductor_mock.version import version
from conductor_mock.workers.link import Link
from conductor_mock.workers.parent import Workers, WorkersError
from conductor_mock.workers.serving import directory_of, together, work

MOST_WORKERS = 64

_TOO_FEW_FILES = "it may open no more files: raise the limit (ulimit -n), 256 is enough to begin with"

_OF_THE_STORE = ("botocore", "urllib3")
"""Loggers of the libraries that talk to a bucket: their messages could hold keys, and ours say what failed."""

GRACE_S = 5
"""How long a stop waits for requests under way."""

END_S = 30
"""How long it takes in all: runs and mails under way are ended in seconds, snapshots of a million tasks take seven."""


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
        except (OSError, SQLAlchemyError, sqlite3.Error) as error:
            raise Unusable(
                _TOO_FEW_FILES if is_out_of_files(error) else f"the system refused: {first_line(error)}"
            ) from None
        except NoHomeError as error:
            raise Unusable(str(error)) from None


@click.group("conductor-mock", cls=_Program, commands=(*COMMANDS, *DATA_COMMANDS, completion))
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
    help="Where to listen; 0 takes a free port.",
)
@click.option("--ready-file", type=LocalPath(path_type=Path), help="Written once connections are accepted.")
@click.option(
    "--drain",
    type=click.FloatRange(min=0, max=MAX_TIMEOUT_S),
    default=0,
    show_default=True,
    help="Seconds that it is not ready but answers before it stops, for a balancer to see.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes behind the port, each of which serves any account.",
)
def serve(
    port: int,
    ready_file: Path | None,
    drain: float,
    workers: int,
    host: str,
    log_format: str,
    **options: Any,
) -> None:
    """Serve the fake until SIGTERM or Ctrl-C."""
    _set_up_logging(log_format)
    if ready_file is not None:
        _clear_ready(ready_file)
    settings = settings_of(host, options)
    if workers > 1:
        _serve_together(workers, settings, (host, port), ready_file, drain, options)
        return
    with (
        EndingSignals() as signals,
        _serving(_open_server(settings, host, port)) as server,
        _announced(server, ready_file),
    ):
        echo(f"conductor-mock {version()} at {server.url}", err=True)
        echo(_hint(server, ready_file, options), err=True)
        signals.next()
        if drain:
            server.drain()
            echo(f"not ready any more; stopping in {drain:g} s, or at the next signal", err=True)
            signals.next(drain)
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
        EndingSignals(asks_sender=True) as signals,
        _serving(_open_server(settings_of(host, options), host, 0)) as server,
        _announced(server, None),
    ):
        code = run_command(command, server.environment(), signals)
    sys.exit(code)


@main.command()
@click.option(
    "--folder",
    type=LocalPath(path_type=Path, file_okay=False),
    help="Where the project and its frames are to stay.  [default: nowhere]",
)
@click.option("--keep", is_flag=True, help="Fill a farm to look at instead, and serve it until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"The port of a farm to look at; 0 takes a free one.  [default: {DEFAULT_PORT}, or a free one]",
)
@click.option(
    "--ready-file",
    type=LocalPath(path_type=Path),
    help="Written once a farm to look at accepts connections.",
)
def demo(folder: Path | None, keep: bool, port: int | None, ready_file: Path | None) -> None:
    """Run the documented quick start against a throw-away fake, and download the frames that come of it.

    With --keep: a week of a studio's work, jobs in every state, and one that renders 60 times as fast.
    """
    from conductor_mock.demo import DemoError
    from conductor_mock.demo.quick import run_demo

    if keep and folder is not None:
        raise Unusable(
            "--keep and --folder exclude each other: a farm to look at has no project on this machine"
        )
    if not keep and (port is not None or ready_file is not None):
        raise Unusable("--port and --ready-file are for a farm to look at: add --keep")
    _set_up_logging("text", level=logging.ERROR)
    try:
        if keep:
            _keep(port, ready_file)
        else:
            run_demo(echo, folder and folder.resolve())
    except DemoError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"the project cannot be made: {error}") from None


def _keep(port: int | None, ready_file: Path | None) -> None:
    """Serve a farm to look at until a signal ends it. Raises DemoError."""
    from conductor_mock.demo.farm import DemoFarm

    if ready_file is not None:
        _clear_ready(ready_file)
    try:
        farm = DemoFarm(port, grace_s=GRACE_S)
    except AddressError as error:
        raise Unusable(str(error)) from None
    with EndingSignals() as signals, _serving(farm.server) as server:
        sights = farm.fill()
        with _announced(server, ready_file):
            echo(f"a farm to look at: {server.url}/")
            for sight in sights:
                echo(f"  {server.url}{sight.path}  {sight.what}")
            if ready_file is not None:
                echo(_hint(server, ready_file, {}))
            echo("Ctrl-C ends it, and nothing of it stays")
            signals.next()


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
    "--keys", type=LocalPath(path_type=Path, dir_okay=False), help="With --url: the file of its --keys."
)
@click.option(
    "--ready-file",
    type=LocalPath(path_type=Path, dir_okay=False),
    help="The file that 'serve --ready-file' wrote, instead of all that.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object; null is a variable to be unset.")
def env(
    url: str | None, data_dir: Path | None, keys: Path | None, ready_file: Path | None, as_json: bool
) -> None:
    """Print lines that point a shell's clients at the server that runs: eval "$(conductor-mock env)"."""
    if keys is not None and (url is None or data_dir is not None):
        raise Unusable("--keys has the keys of the server at --url, without a --data-dir: give it with --url")
    if keys is not None and url is not None and ready_file is None:
        given = client_environment(url, _keys_in(keys))
    elif ready_file is None:
        given = _environment_of(url, data_dir or default_data_dir())
    elif url is not None or data_dir is not None:
        raise Unusable("--ready-file tells all that --url and --data-dir do; give it alone")
    else:
        given = read_ready_file(ready_file)["env"]
    if as_json:
        echo(json.dumps({**merged(os.environ, given), **dict.fromkeys(removed(given))}, indent=2), raw=True)
        return
    for name, value in merged(os.environ, given).items():
        echo(f"export {name}={shlex.quote(value)}", raw=True)
    echo(f"unset {' '.join(removed(given))}")


def _keys_in(path: Path) -> Keys:
    """The keys in a file of `--keys`, which is there."""
    if not path.exists():
        raise Unusable(f"there is no file {path}: the server makes it when it starts")
    try:
        return load_or_create_file(path)
    except (KeysError, OSError) as error:
        raise Unusable(str(error)) from None


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


def _serve_together(
    count: int,
    settings: Settings,
    address: tuple[str, int],
    ready_file: Path | None,
    drain: float,
    options: Mapping[str, Any],
) -> None:
    """Serve with so many workers until a signal ends them."""
    try:
        bound = bind(*address)
    except AddressError as error:
        raise Unusable(str(error)) from None
    with directory_of(settings) as shared, EndingSignals() as signals:

        def open_server(own: Settings) -> AbstractContextManager[Server]:
            return _serving(_open_server(own, *address, bound=bound))

        def be_worker(link: Link) -> int:
            try:
                work(link, shared, open_server, drain_s=drain)
            except click.ClickException as error:
                error.show()
                return error.exit_code
            return 0

        workers = Workers(count, be_worker, signals, end_s=END_S + GRACE_S + drain)
        try:
            with together(workers, shared, is_shared=settings.shared) as server:
                if server is None:
                    return
                with _announced(server, ready_file):
                    echo(f"conductor-mock {version()} at {server.url}, {count} workers", err=True)
                    echo(_hint(server, ready_file, options), err=True)
                    workers.watch()
                    echo("stopping", err=True)
        except WorkersError as error:
            if error.code == UNUSABLE:  # it has said why
                sys.exit(UNUSABLE)
            raise Unusable(str(error)) from None
        except DatabaseError as error:
            raise Unusable(str(error)) from None


def _open_server(settings: Settings, host: str, port: int, *, bound: socket.socket | None = None) -> Server:
    try:
        app = create_app(settings, give_way=give_way_sparingly)  # this process is ours alone
    except (
        DamagedLogError,
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
        raise Unusable(
            _TOO_FEW_FILES if is_out_of_files(error) else f"cannot use the data directory: {error}"
        ) from None
    try:
        return Server(app, host=host, port=port, grace_s=GRACE_S, bound=bound)
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
def _announced(server: Announced, ready_file: Path | None) -> Iterator[None]:
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


def _hint(server: Announced, ready_file: Path | None, options: Mapping[str, Any]) -> str:
    """How clients come to the right environment."""
    if ready_file is not None:
        arguments = ["--ready-file", str(ready_file)]
    elif options["ephemeral"] and options["keys"] is not None:
        arguments = ["--url", server.url, "--keys", str(options["keys"])]
    elif options["ephemeral"]:
        return (
            "its key goes with it: start it with --ready-file FILE for 'conductor-mock env --ready-file FILE'"
        )
    else:
        arguments = [] if options["data_dir"] is None else ["--data-dir", str(options["data_dir"])]
    return f'point clients at it with: eval "$({shlex.join([called(sys.argv[0], os.environ), "env", *arguments])})"'


def _set_up_logging(form: str, level: int = logging.INFO) -> None:
    handler = BatchedLines(sys.stderr)
    handler.setFormatter(
        JsonLines() if form == "json" else TextLines("%(asctime)s %(levelname)s %(message)s")
    )
    handler.addFilter(_is_told)
    logging.basicConfig(level=level, handlers=[handler])


def _is_told(record: logging.LogRecord) -> bool:
    """Whether a record goes into the server's log; whoever else listens to those libraries hears them as before."""
    return record.name.partition(".")[0] not in _OF_THE_STORE
