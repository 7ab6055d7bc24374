"""`conductor-mock mails`: what was written to people when jobs ended."""

from __future__ import annotations

from typing import Any

import click

from conductor_mock.commands.target import Target, target_options


@click.command()
@target_options
def mails(target: Target) -> None:
    """List the mails of ended jobs, oldest first, and what became of each (--account '*': of all)."""
    answer = target.ask("GET", "mails")
    target.show(answer, map(_line, answer["mails"]) if answer["mails"] else ["no mails"])


def _line(mail: dict[str, Any]) -> str:
    sent = mail["delivery"]
    became = "kept here" if sent is None else sent["state"] + (f" ({sent['error']})" if sent["error"] else "")
    return f"{mail['time']}  {mail['jid']}  {mail['status']}  to {', '.join(mail['to'])}: {mail['subject']}  {became}"
