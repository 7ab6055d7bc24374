"""`conductor-mock options`: what decides an account's runs besides its requests."""

from __future__ import annotations

from typing import Any

import click

from conductor_mock.commands.target import DefaultGroup, Target, target_options


@click.group(cls=DefaultGroup)
def options() -> None:
    """Show or change what decides an account's runs. Without a command: show."""


@options.command()
@target_options
def show(target: Target) -> None:
    """Show the options."""
    _show(target, target.ask("GET", "options"))


@options.command("set")
@click.option("--seed", type=int, help="Seed of everything that is drawn.")
@click.option("--fleet", type=int, help="Most instances at once; 0 is no limit.")
@click.option("--provider", help="Style of upload URLs: gcs or s3.")
@click.option("--part-size", type=int, help="Larger files are uploaded in parts of so many bytes.")
@click.option(
    "--release-scouts/--no-release-scouts",
    default=None,
    help="Whether tasks that wait for scouts start by themselves.",
)
@target_options
def change(target: Target, **given: Any) -> None:
    """Change some of the options; what is left out stays as it is."""
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        raise click.UsageError("nothing is to be changed; name at least one option, such as --seed")
    _show(target, target.ask("POST", "options", body=named))


def _show(target: Target, answer: dict[str, Any]) -> None:
    width = max(map(len, answer))
    target.show(answer, [f"{name:{width}}  {_word(value)}" for name, value in answer.items()])


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
