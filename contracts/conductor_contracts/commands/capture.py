"""``conductor-contracts capture`` and ``drift``: record a service, and hold the record against the contract."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

import click

from conductor_contracts.capture import Recorder, proxy
from conductor_contracts.drift import as_capture, drift, never_seen
from conductor_contracts.interactions import Interaction, InteractionError
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_contracts.text_files import TextFileError, parse_yaml_documents, read_text

_LOOK_S = 0.2
"""How often the main thread lets Python handle a signal that another thread was given."""


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
    if not _is_origin(upstream):
        raise click.UsageError(f"--upstream must be http:// or https:// with a host, got {upstream[:80]!r}")
    recorder = Recorder()
    try:
        server = proxy(upstream, recorder, port)
    except OSError as error:
        raise click.UsageError(f"port {port}: {error.strerror or error}; name another with --port") from None
    with server, _signals() as ended, _new_file(output) as file:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        echo(f"export CONDUCTOR_URL=http://127.0.0.1:{server.server_address[1]}")
        _wait(ended)
        server.shutdown()
        file.write(recorder.interactions())
    echo(f"wrote {output}; read it, then: conductor-contracts drift {output}", err=True)


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    """A file that was not there, to be written in the block; there is none where the block does not end well."""
    try:
        file = path.open("x", encoding="utf-8", errors="backslashreplace")
    except FileExistsError:
        raise click.UsageError(f"{path} is there already; name another file") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        with file:
            yield file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise click.UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _signals() -> Iterator[SimpleQueue[int]]:
    """What SIGINT and SIGTERM are put into; more than one of them, while the file is written, do no harm."""
    ended: SimpleQueue[int] = SimpleQueue()  # whose put may interrupt its own get

    def end(number: int, frame: FrameType | None) -> None:
        ended.put(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(ended: SimpleQueue[int]) -> None:
    """Return when a signal came. The kernel may give it to another thread, which wakes nobody who sleeps on a lock."""
    while True:
        with suppress(Empty):
            ended.get(timeout=_LOOK_S)
            return


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
        documents = parse_yaml_documents(read_text(path))
        found = as_capture(documents)
    except (TextFileError, InteractionError) as error:
        reason = f"{path} {error}" if isinstance(error, TextFileError) else f"{path}: {error}"
        raise click.UsageError(f"{reason}; a capture is what `conductor-contracts capture` writes") from None
    if not found:
        raise click.UsageError(f"{path} holds no exchange, so there is nothing to compare")
    return found
