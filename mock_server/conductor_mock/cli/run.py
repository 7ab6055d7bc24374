"""`conductor-mock run`. What serves is loaded when it runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

import click

from conductor_mock.cli.options import server_options, settings_of
from conductor_mock.serving.signals import EndingSignals


@click.command(context_settings={"ignore_unknown_options": True})
@server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: Sequence[str], host: str, log_format: str, **options: Any) -> None:
    """Start a private fake on a free port, run COMMAND with its environment set, stop the fake.

    Data is thrown away unless --data-dir is given. The exit code is that of COMMAND.
    """
    from conductor_mock.cli.child import run_command
    from conductor_mock.cli.logs import set_up_logging
    from conductor_mock.cli.serving import announced, open_server, serving

    set_up_logging(log_format, level=logging.WARNING)
    if options["data_dir"] is None and options["database_url"] is None:
        options["ephemeral"] = True
    with (
        EndingSignals(asks_sender=True) as signals,
        serving(open_server(settings_of(host, options), host, 0)) as server,
        announced(server, None),
    ):
        code = run_command(command, server.environment(), signals)
    sys.exit(code)
