"""``conductor-contracts schema`` and ``changes``: the formats of files, and the versions of the contract, to read."""

from __future__ import annotations

import click

from conductor_contracts.changes import load_changes
from conductor_contracts.contract import load, load_control
from conductor_contracts.control_reference import control_table
from conductor_contracts.digests import digests
from conductor_contracts.fidelity import fidelity_page
from conductor_contracts.file_formats import FORMATS, schema_text
from conductor_contracts.printing import echo


@click.command("schema")
@click.argument("name", required=False, type=click.Choice(list(FORMATS)))
def schema_command(name: str | None) -> None:
    """Write the JSON Schema of a file format; without NAME, list the formats."""
    if name:
        echo(schema_text(name), raw=True, nl=False)
        return
    width = max(map(len, FORMATS))
    for known, holds in FORMATS.items():
        echo(f"{known.ljust(width)}  {holds}")


@click.command("changes")
@click.option(
    "--digests", "only_digests", is_flag=True, help="Write the digest of each operation as it is now."
)
def changes_command(only_digests: bool) -> None:
    """Write what each version of the contract changed, and on what evidence."""
    if only_digests:
        for operation, digest in digests(load().document).items():
            echo(f"      {operation}: '{digest}'")
        return
    for version in load_changes():
        echo(f"{version.version} ({version.date or 'not released'})")
        for change in version.changes:
            echo(f"  {change.kind} {', '.join(change.operations)}: {change.what}")
            echo(f"    {change.evidence}, {change.source}")


@click.command("fidelity")
def fidelity_command() -> None:
    """Write how faithful the fake is, and on what evidence, as Markdown."""
    echo(fidelity_page(load()), raw=True, nl=False)


@click.command("control")
def control_command() -> None:
    """Write the calls of a fake's control API as a table, as Markdown."""
    echo(control_table(load_control()), raw=True)
