"""The command ``conductor-contracts``: the contract against any server, and the contract to read."""

from __future__ import annotations

from collections.abc import Mapping

import click

from conductor_contracts.groups import COMPLETION, Commands
from conductor_contracts.listed import Listed

_HERE = "conductor_contracts.commands"

COMMANDS: Mapping[str, Listed] = {
    "capture": Listed(
        f"{_HERE}.capture:capture_command",
        "Pass requests on to a service and record them, until SIGINT or SIGTERM.",
    ),
    "changes": Listed(
        f"{_HERE}.reading:changes_command",
        "Write what each version of the contract changed, and on what evidence.",
    ),
    "check": Listed(
        f"{_HERE}.check:check_command",
        "Say whether the service would take a submission, what is wrong with it, and what is unusual.",
    ),
    "completion": COMPLETION,
    "control": Listed(
        f"{_HERE}.reading:control_command", "Write the calls of a fake's control API as a table, as Markdown."
    ),
    "drift": Listed(
        f"{_HERE}.capture:drift_command",
        "Say where a capture departs from the contract: new, missing, other type or value, other status, other route.",
    ),
    "fidelity": Listed(
        f"{_HERE}.reading:fidelity_command",
        "Write how faithful the fake is, and on what evidence, as Markdown.",
    ),
    "list": Listed(
        f"{_HERE}.operations:list_command",
        "List the operations, with how well each is known and how many interactions try it.",
    ),
    "pact": Listed(
        f"{_HERE}.pact:pact_command",
        "Write the interactions as a Pact of version 4, and on the standard error how many do not fit into one and "
        "why.",
    ),
    "schema": Listed(
        f"{_HERE}.reading:schema_command",
        "Write the JSON Schema of a file format; without NAME, list the formats.",
    ),
    "show": Listed(
        f"{_HERE}.operations:show_command",
        "Show one operation: its statuses, fields with their evidence, and interactions.",
    ),
    "stubs": Listed(
        f"{_HERE}.stubs:stubs_command",
        "Write a stub for each operation, which answers with the example of the contract.",
    ),
    "verify": Listed(
        f"{_HERE}.verify:verify_command",
        "Replay the interactions against a server: those that leave nothing behind, if nothing else is said.",
    ),
    "witness": Listed(
        f"{_HERE}.witness:witness_command",
        "Install a published client and run the scenarios of the project's tests with it, against the fake.",
    ),
}
"""Each is loaded when it is called."""


@click.group("conductor-contracts", cls=Commands, listed=COMMANDS)
@click.version_option(package_name="conductor-mock")
def main() -> None:
    """Read the contract of the Conductor service, or hold a server against it."""
