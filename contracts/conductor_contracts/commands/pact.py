"""``conductor-contracts pact``: the interactions for verifiers of Pact."""

from __future__ import annotations

import json
from collections import Counter

import click

from conductor_contracts.interactions import load_interactions
from conductor_contracts.pact import export
from conductor_contracts.printing import echo


@click.command("pact")
@click.option(
    "--allow-writes", is_flag=True, help="Also what creates, ends or changes something; that may cost money."
)
def pact_command(allow_writes: bool) -> None:
    """Write the interactions as a Pact of version 4, and on the standard error how many do not fit into one and why."""
    made = export(load_interactions(), allow_writes=allow_writes)
    echo(json.dumps(made.document, indent=1), raw=True)
    reasons = Counter(made.left_out.values())
    echo(f"{len(made.document['interactions'])} interactions; left out are", err=True)
    for reason, number in reasons.most_common():
        echo(f"  {number:4} {reason}", err=True)
