"""`conductor-mock catalog`: the packages, projects and machines of an account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conductor_contracts.paths import LocalPath
from conductor_contracts.problems import count
from conductor_contracts.text_files import TextFileError, parse_yaml, read_text
from conductor_mock.commands.target import NULL, DefaultGroup, Target, target_options

_LISTS = (
    ("packages", "package"),
    ("projects", "project"),
    ("instance_types", "instance type"),
    ("env_vars_configs", "environment configuration"),
)


@click.group(cls=DefaultGroup)
def catalog() -> None:
    """Show or replace an account's catalogue. Without a command: show."""


@catalog.command()
@target_options
def show(target: Target) -> None:
    """Show what the catalogue holds; --json prints the whole document."""
    document = target.ask("GET", "catalog")
    target.show(document, [count(len(document.get(name) or ()), noun) for name, noun in _LISTS])


@catalog.command()
@click.argument("file", type=LocalPath(path_type=Path, dir_okay=False))
@target_options
def replace(target: Target, file: Path) -> None:
    """Give the account the catalogue of FILE, JSON or YAML, which is checked before it is taken."""
    try:
        document = parse_yaml(read_text(file))
    except TextFileError as error:
        raise click.ClickException(f"{file} {error}") from None
    if document is None:
        raise click.ClickException(f"{file} holds no catalogue; 'catalog reset' gives the server's back")
    _taken(target, target.ask("PUT", "catalog", body=document))


@catalog.command()
@target_options
def reset(target: Target) -> None:
    """Give the account the server's catalogue back."""
    _taken(target, target.ask("PUT", "catalog", body=NULL))


def _taken(target: Target, answer: dict[str, Any]) -> None:
    target.show(answer, [f"the catalogue was taken, its digest is {answer['sha256']}", *answer["warnings"]])
