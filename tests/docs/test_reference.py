"""The documents say what the programs do: every option, call and argument is in its reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conductor_mock.cli import main
from conductor_mock.faults.reference import written

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


def test_every_option_is_explained() -> None:
    assert OPTIONS
    assert [option for option in OPTIONS if f"`{option}`" not in SERVER] == []


def test_a_page_without_a_place_for_a_table_is_not_written() -> None:
    with pytest.raises(ValueError, match="fault options"):
        written(SERVER.replace("<!-- fault options: end -->", ""))
