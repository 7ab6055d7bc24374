"""``conductor-contracts capture`` and ``drift``: record a service, and hold the record against the contract."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import FrameType

import click
import yaml

from conductor_contracts.capture import Recorder, proxy
from conductor_contracts.drift import drift, never_seen
from conductor_contracts.interactions import Interaction, InteractionError, parse_interactions
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_contracts.text_files import TextFileError, read_text


@click.command("capture")
@click.option("--upstream", required=True, help="Base URL of the service, such as https://example.com.")
@click.option(
    "--output",
    required=True,
    type=LocalPath(dir_okay=False, path_type=Path),
    help="File for what was recorded; it must not be there yet.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on loopback; 0 is a free one.")
def capture_command(upstream: str, output: Path, port: int) -> None:
    """Pass requests on to a service and record them, until SIGINT or SIGTERM.

    Point a client at the URL that is printed. Secrets, names, addresses and paths are replaced before it is written.
    """
    if not upstream.startswith(("http://", "https://")):
        raise click.UsageError(f"--upstream must begin with http:// or https://, got {upstream[:80]!r}")
    recorder = Recorder()
    try:
        with output.open("x", encoding="utf-8") as file:
            with proxy(upstream, recorder, port) as server:
                echo(f"export CONDUCTOR_URL=http://127.0.0.1:{server.server_address[1]}")
                _serve(server.serve_forever)
            file.write(recorder.interactions())
    except FileExistsError:
        raise click.UsageError(f"{output} is there already; name another file") from None
    except OSError as error:
        raise click.UsageError(f"{output}, port {port}: {error.strerror or error}") from None


class _Ended(Exception):
    """A signal came."""


def _serve(forever: object) -> None:
    """Serve until a signal says that it is enough."""

    def end(number: int, frame: FrameType | None) -> None:
        raise _Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        forever()  # type: ignore[operator]
    except _Ended:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command("drift")
@click.argument("capture", type=LocalPath(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@click.option(
    "--never-seen", "unseen", is_flag=True, help="List the fields that no captured answer has, too."
)
def drift_command(capture: Path, as_json: bool, unseen: bool) -> None:
    """Say where a capture departs from the contract: new, missing, other type or value, other status, other route.

    Exits 0 if nowhere, 1 if somewhere, 2 on bad input.
    """
    interactions = _read(capture)
    found = drift(interactions)
    if as_json:
        echo(json.dumps([vars(one) for one in found]), raw=True)
    else:
        for one in found:
            echo(str(one))
        for field in never_seen(interactions) if unseen else ():
            echo(f"unseen  {field}")
    if found:
        raise SystemExit(1)


def _read(path: Path) -> list[Interaction]:
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = list(yaml.load_all(read_text(path), Loader=loader))
        return [
            one
            for number, document in enumerate(documents, start=1)
            for one in parse_interactions(json.dumps(document), f"{path}, document {number}")
        ]
    except (TextFileError, yaml.YAMLError) as error:
        raise click.UsageError(f"{path} {' '.join(str(error).split())}") from None
    except (InteractionError, TypeError) as error:
        raise click.UsageError(str(error)) from None
