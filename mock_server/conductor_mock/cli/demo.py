"""`conductor-mock demo`. What serves is loaded when it runs."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_mock.cli.unusable import Unusable
from conductor_mock.serving.signals import EndingSignals
from conductor_mock.settings import DEFAULT_PORT


@click.command()
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
    from conductor_mock.cli.logs import set_up_logging
    from conductor_mock.demo import DemoError
    from conductor_mock.demo.quick import run_demo

    if keep and folder is not None:
        raise Unusable(
            "--keep and --folder exclude each other: a farm to look at has no project on this machine"
        )
    if not keep and (port is not None or ready_file is not None):
        raise Unusable("--port and --ready-file are for a farm to look at: add --keep")
    set_up_logging("text", level=logging.ERROR)
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
    from conductor_mock.cli.serving import GRACE_S, announced, clear_ready, hint, serving
    from conductor_mock.demo.farm import DemoFarm
    from conductor_mock.serving.server import AddressError

    if ready_file is not None:
        clear_ready(ready_file)
    try:
        farm = DemoFarm(port, grace_s=GRACE_S)
    except AddressError as error:
        raise Unusable(str(error)) from None
    with EndingSignals() as signals, serving(farm.server) as server:
        sights = farm.fill()
        with announced(server, ready_file):
            echo(f"a farm to look at: {server.url}/")
            for sight in sights:
                echo(f"  {server.url}{sight.path}  {sight.what}")
            if ready_file is not None:
                echo(hint(server, ready_file, {}))
            echo("Ctrl-C ends it, and nothing of it stays")
            signals.next()
