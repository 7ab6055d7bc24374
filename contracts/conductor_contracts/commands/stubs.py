"""``conductor-contracts stubs``: stubs for unit tests of a client."""

from __future__ import annotations

import json

import click

from conductor_contracts.printing import echo
from conductor_contracts.stubs import module_text, wiremock_mappings


@click.command("stubs")
@click.option(
    "--format",
    "form",
    type=click.Choice(["responses", "wiremock"]),
    default="responses",
    help="A Python module for the responses library, or mappings for WireMock.",
)
@click.option("--url", default="http://conductor.test", help="Base URL that the client under test is given.")
@click.option("--only", multiple=True, metavar="OPERATION", help="An operation; may be repeated.")
def stubs_command(form: str, url: str, only: tuple[str, ...]) -> None:
    """Write a stub for each operation, which answers with the example of the contract."""
    try:
        if form == "wiremock":
            echo(json.dumps(wiremock_mappings(url, only=only or None), indent=1), raw=True)
        else:
            echo(module_text(url, only=only or None), raw=True, nl=False)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
