"""The command ``conductor-contracts``: the contract against any server, and the contract to read."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from conductor_contracts.commands.check import check_command
from conductor_contracts.commands.reading import changes_command, schema_command
from conductor_contracts.contract import Contract, load, load_control
from conductor_contracts.control_reference import control_table
from conductor_contracts.evidence import tags_of
from conductor_contracts.fidelity import fidelity_page
from conductor_contracts.interactions import load_interactions
from conductor_contracts.operation import Operation
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import Commands, echo
from conductor_contracts.text_files import TextFileError, read_text
from conductor_contracts.verify import Outcome, VerificationError, verify


@click.group("conductor-contracts", cls=Commands)
@click.version_option(package_name="conductor-mock")
def main() -> None:
    """Read the contract of the Conductor service, or hold a server against it."""


for command in (check_command, schema_command, changes_command):
    main.add_command(command)


@main.command("verify")
@click.option("--url", required=True, help="Base URL of the server, such as http://127.0.0.1:8089.")
@click.option(
    "--api-key-file",
    type=LocalPath(exists=True, dir_okay=False, path_type=Path),
    help="API key as JSON, or its base64. Without it, CONDUCTOR_API_KEY is read.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="An operation or interaction id; may be repeated."
)
@click.option("--safe-only", is_flag=True, help="Skip what may cost money or leave something behind.")
def verify_command(url: str, api_key_file: Path | None, only: tuple[str, ...], safe_only: bool) -> None:
    """Replay the interactions against a server. Exits 0 if all pass, 1 if one fails, 2 on bad input."""
    key = _api_key(api_key_file)

    def show(outcome: Outcome) -> None:
        word = "skipped" if outcome.skipped else "passed" if outcome.passed else "FAILED"
        echo(f"{word:8}{outcome.interaction.id}{f' ({outcome.skipped})' if outcome.skipped else ''}")
        for fault in outcome.faults:
            echo(f"        {fault}")

    try:
        with _ended_by_signals():
            report = verify(url, key, only=only or None, safe_only=safe_only, on_outcome=show)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except VerificationError as error:
        raise click.ClickException(str(error)) from None
    echo(report.summary, raw=True)
    if not report.ok:
        raise SystemExit(1)


@main.command("list")
def list_command() -> None:
    """List the operations, with how well each is known and how many interactions try it."""
    counts: dict[str | None, int] = {}
    for interaction in load_interactions():
        counts[interaction.operation] = counts.get(interaction.operation, 0) + 1
    rows = [
        (each.id, each.method, each.path, each.evidence, str(counts.get(each.id, 0)))
        for each in load().operations.values()
    ]
    _echo_table(("operation", "method", "path", "evidence", "interactions"), rows)


@main.command("show")
@click.argument("operation")
def show_command(operation: str) -> None:
    """Show one operation: its statuses, fields with their evidence, and interactions."""
    contract = load()
    found = contract.operations.get(operation)
    if found is None:
        raise click.UsageError(f"no operation {operation!r}; known are {', '.join(contract.operations)}")
    for line in _description(found, contract):
        echo(line, raw=True)
    rows = [row for row in contract.fidelity() if row.operation == operation]
    _echo_table(
        ("part", "name", "evidence", "source"), [(row.part, row.name, row.grade, row.source) for row in rows]
    )
    echo("\nevidence", raw=True)
    _echo_list(
        [(grade, text) for grade, text in contract.grades.items() if grade in {row.grade for row in rows}]
    )
    echo("\ntags of the sources (docs/wire-protocol.md#tags)", raw=True)
    used = {tag for row in rows for tag in tags_of(row.source)}
    _echo_list([(f"[{tag.name}]", tag.means) for tag in contract.tags if tag.name in used])
    echo("\ninteractions", raw=True)
    for interaction in load_interactions():
        if interaction.operation == operation:
            echo(f"  {interaction.name}")


@main.command("fidelity")
def fidelity_command() -> None:
    """Write how faithful the fake is, and on what evidence, as Markdown."""
    echo(fidelity_page(load()), raw=True, nl=False)


@main.command("control")
def control_command() -> None:
    """Write the calls of a fake's control API as a table, as Markdown."""
    echo(control_table(load_control()), raw=True)


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


def _echo_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        echo("  ".join(cells).rstrip())


def _echo_list(rows: Sequence[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        echo(f"  {name.ljust(width)}  {text}")


def _description(operation: Operation, contract: Contract) -> list[str]:
    traps = ", ".join(map(str, operation.traps))
    return [
        f"{operation.id}: {operation.method} {operation.path}",
        operation.summary,
        operation.description,
        f"answers {', '.join(map(str, operation.statuses))}; token {operation.authentication}",
        f"retry {operation.retry}: {contract.retries[operation.retry]}",
        f"clients {', '.join(operation.clients)}",
        f"traps {traps} (of section 9 of docs/wire-protocol.md)" if traps else "traps none",
        "",
    ]


def _api_key(path: Path | None) -> dict[str, str]:
    """The API key of a file or of CONDUCTOR_API_KEY. Raises UsageError, never quoting it."""
    where = str(path) if path else "CONDUCTOR_API_KEY"
    try:
        text = read_text(path) if path else os.environ.get("CONDUCTOR_API_KEY", "")
    except TextFileError as error:
        raise click.UsageError(f"{where} {error}") from None
    if not text.strip():
        raise click.UsageError(f"{where} holds no API key; give --api-key-file or set CONDUCTOR_API_KEY")
    key = _decoded(text)
    if not isinstance(key, dict) or not all(
        isinstance(key.get(n), str) for n in ("client_id", "private_key")
    ):
        raise click.UsageError(
            f"{where} must be a JSON object (or its base64) with client_id and private_key"
        )
    return {"client_id": key["client_id"], "private_key": key["private_key"]}


def _decoded(text: str) -> Any:
    """Raw JSON, its real line breaks dropped, or base64 of JSON (wire reference 1.7); None if neither."""
    text = text.lstrip("\ufeff")
    for candidate in (text, text.replace("\r", "").replace("\n", "")):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    try:
        return json.loads(base64.b64decode(text, validate=False))
    except ValueError:
        return None
