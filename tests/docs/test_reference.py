"""The documents say what the programs do: every option, call and argument is in its reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conductor.lib.submission import arguments
from conductor_mock.app import close_app, create_app
from conductor_mock.cli import main
from conductor_mock.faults.rules import KINDS
from conductor_mock.outputs.commands import reference as reference_of_outputs

DOCS = Path(__file__).parents[2] / "docs"
SERVER = (DOCS / "reference" / "server.md").read_text(encoding="utf-8")


def every_command(group: click.Group) -> Iterator[click.Command]:
    """The commands of a group, and of the groups in it."""
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from every_command(command)


OPTIONS = sorted(
    {
        option.opts[0]
        for command in every_command(main)
        for option in command.params
        if isinstance(option, click.Option)
    }
)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_a_heading(name: str) -> None:
    assert re.search(rf"^### `conductor-mock {name}\b", SERVER, re.MULTILINE)


def test_every_command_of_a_group_is_named() -> None:
    for name, group in main.commands.items():
        for inner in getattr(group, "commands", {}):
            assert re.search(rf"`{name} {inner}\b", SERVER), f"{name} {inner}"


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_explained(option: str) -> None:
    assert f"`{option}`" in SERVER


def test_every_call_of_the_control_api_is_listed() -> None:
    app = create_app()
    try:
        rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/_mock/")]
    finally:
        close_app(app)
    assert rules
    for rule in rules:
        path = rule.rule.replace("<jid>", "JID").replace("<tid>", "TID")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            assert f"{method} {path}" in SERVER


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_fault_has_a_row_with_its_options(kind: str) -> None:
    (row,) = [line for line in SERVER.splitlines() if line.startswith(f"| `{kind}` |")]
    _, _, options, carried_out, _, _ = row.split("|")
    assert set(re.findall(r"`(\w+)`", options)) == set(KINDS[kind].options)
    assert carried_out.strip() == ("yes" if KINDS[kind].carried_out else "no")


def test_the_table_of_arguments_is_the_one_that_checks_them() -> None:
    text = (DOCS / "reference" / "submit.md").read_text(encoding="utf-8")
    assert arguments.reference().rstrip() in text


def test_the_table_of_output_names_is_the_one_that_reads_commands() -> None:
    text = (DOCS / "reference" / "outputs.md").read_text(encoding="utf-8")
    assert reference_of_outputs() in text
