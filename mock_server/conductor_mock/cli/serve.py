"""`conductor-mock serve`. What serves is loaded when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_mock.cli.options import MAX_TIMEOUT_S, server_options, settings_of
from conductor_mock.serving.signals import EndingSignals
from conductor_mock.settings import DEFAULT_PORT
from conductor_mock.version import version

MOST_WORKERS = 64


@click.command()
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
    from conductor_mock.cli.logs import set_up_logging
    from conductor_mock.cli.serving import announced, clear_ready, hint, open_server, serving

    set_up_logging(log_format)
    if ready_file is not None:
        clear_ready(ready_file)
    settings = settings_of(host, options)
    if workers > 1:
        from conductor_mock.cli.serve_together import serve_together

        serve_together(workers, settings, (host, port), ready_file, drain, options)
        return
    with (
        EndingSignals() as signals,
        serving(open_server(settings, host, port)) as server,
        announced(server, ready_file),
    ):
        echo(f"conductor-mock {version()} at {server.url}", err=True)
        echo(hint(server, ready_file, options), err=True)
        signals.next()
        if drain:
            server.drain()
            echo(f"not ready any more; stopping in {drain:g} s, or at the next signal", err=True)
            signals.next(drain)
        echo("stopping", err=True)
