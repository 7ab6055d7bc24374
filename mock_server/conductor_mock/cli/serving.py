"""A server of a command: opened, served, announced to whoever looks for it, and stopped in time."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from conductor_contracts.printing import echo
from conductor_mock.app import close_app, create_app
from conductor_mock.catalog import CatalogError
from conductor_mock.cli.called import called
from conductor_mock.cli.unusable import TOO_FEW_FILES, UNUSABLE, Unusable
from conductor_mock.execution.errors import ExecutionError
from conductor_mock.farm.clock import ClockError
from conductor_mock.faults.reading import FaultError
from conductor_mock.mailing.errors import SmtpUrlError
from conductor_mock.serving import ready
from conductor_mock.serving.limit import end_process, ends_within
from conductor_mock.serving.server import AddressError, Announced, Server, write_ready_file
from conductor_mock.settings import NoHomeError, Settings, SettingsError
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.keys import KeysError
from conductor_mock.store.log import DamagedLogError
from conductor_mock.store.trouble import is_out_of_files
from conductor_mock.store.turns import give_way_sparingly

GRACE_S = 5
"""How long a stop waits for requests under way."""

END_S = 30
"""How long it takes in all: runs and mails under way are ended in seconds, snapshots of a million tasks take seven."""


def open_server(settings: Settings, host: str, port: int, *, bound: socket.socket | None = None) -> Server:
    """A server that does not serve yet. Raises Unusable."""
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
            TOO_FEW_FILES if is_out_of_files(error) else f"cannot use the data directory: {error}"
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
def serving(server: Server) -> Iterator[Server]:
    """Serve; at the end the server is stopped, or the process is ended."""
    try:
        server.start()
        yield server
    finally:
        with ends_within(END_S, _give_up):
            server.stop()


def _give_up() -> None:
    echo(f"Error: the stop did not end in {END_S} s; nothing that was acknowledged is lost", err=True)
    end_process(UNUSABLE)


def clear_ready(path: Path) -> None:
    """Take away what another server has left, before anybody can take it for ours."""
    try:
        ready.clear(path)
    except OSError as error:
        raise Unusable(f"cannot write the ready file {path}: {error.strerror or error}") from None


@contextmanager
def announced(server: Announced, ready_file: Path | None) -> Iterator[None]:
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


def hint(server: Announced, ready_file: Path | None, options: Mapping[str, Any]) -> str:
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
