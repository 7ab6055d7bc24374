"""`conductor-mock reset`: an account as new."""

from __future__ import annotations

import click

from conductor_mock.commands.target import Target, target_options


@click.command()
@target_options
def reset(target: Target) -> None:
    """Make an account as new: no jobs, files, requests or faults (--account '*': every account)."""
    target.ask("POST", "reset")
    whose = {None: "the server's own account is", "*": "every account is"}.get(
        target.account, f"the account {target.account} is"
    )
    target.show({"status": "success"}, [f"{whose} as new"])
