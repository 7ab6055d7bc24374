"""``conductor-contracts verify``: replay the interactions against a server."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from conductor_contracts.commands.api_key import api_key
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_contracts.problems import count
from conductor_contracts.reports import as_json, as_junit, outcome_word
from conductor_contracts.verify import TIMEOUT_S, Outcome, OutOfTime, VerificationError, verify

TIMED_OUT = 124
"""Exit code where the time was up, that of timeout(1)."""


@click.command("verify")
@click.option(
    "--url",
    required=True,
    envvar="CONDUCTOR_URL",
    show_envvar=True,
    help="Base URL of the server, such as http://127.0.0.1:8089. Without it, CONDUCTOR_URL is read.",
)
@click.option(
    "--api-key-file",
    type=LocalPath(exists=True, dir_okay=False, path_type=Path),
    help="API key as JSON, or its base64. Without it, CONDUCTOR_API_KEY is read.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="An operation or interaction id; may be repeated."
)
@click.option(
    "--allow-writes",
    is_flag=True,
    help="Play what creates, ends or changes something, too; on a real account that may cost money.",
)
@click.option("--read-only", is_flag=True, help="Play nothing but questions that change nothing.")
@click.option("--safe-only", is_flag=True, hidden=True, help="What is done anyhow, by its name of before.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.IntRange(1, 7 * 24 * 3600),
    default=int(TIMEOUT_S),
    show_default=True,
    help="What all of it may take, whatever the server does.",
)
@click.option("--json", "print_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--junit",
    type=LocalPath(dir_okay=False, writable=True, path_type=Path),
    help="Write the report as JUnit XML, for CI.",
)
def verify_command(
    url: str,
    api_key_file: Path | None,
    only: tuple[str, ...],
    allow_writes: bool,
    read_only: bool,
    safe_only: bool,
    timeout: int,
    print_json: bool,
    junit: Path | None,
) -> None:
    """Replay the interactions against a server: those that leave nothing behind, if nothing else is said.

    Exits 0 if all pass, 1 if one fails, 2 on bad input, 124 if the time was up first.
    """
    if allow_writes and (read_only or safe_only):
        raise click.UsageError("--allow-writes and --read-only exclude each other")
    key = api_key(api_key_file)
    try:
        with _ended_by_signals():
            report = verify(
                url,
                key,
                only=only or None,
                safe_only=not allow_writes,
                read_only=read_only,
                on_outcome=None if print_json else _show,
                timeout_s=timeout,
            )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except VerificationError as error:
        raise click.ClickException(str(error)) from None
    except OutOfTime as error:
        echo(f"Error: {error}", err=True)
        raise SystemExit(TIMED_OUT) from None
    if junit:
        _write(junit, as_junit(report))
    echo(json.dumps(as_json(report)) if print_json else report.summary, raw=True)
    if report.timed_out:
        left = sum(not outcome.played for outcome in report.outcomes)
        echo(
            f"Error: the {timeout} s of --timeout are over; {count(left, 'interaction')} of the "
            f"{len(report.outcomes)} {'was' if left == 1 else 'were'} not played",
            err=True,
        )
        raise SystemExit(TIMED_OUT)
    if not report.ok:
        raise SystemExit(1)


def _show(outcome: Outcome) -> None:
    word = outcome_word(outcome).replace("failed", "FAILED")
    echo(f"{word:8}{outcome.interaction.id}{f' ({outcome.skipped})' if outcome.skipped else ''}")
    for fault in outcome.faults:
        echo(f"        {fault}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror or error}") from None


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End the block as an exception does where a signal would end the process: what was begun is put in order."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
