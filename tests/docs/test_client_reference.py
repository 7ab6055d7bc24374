"""The pages about the client say what it does: every command, option, exit code, setting and exported name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conductor.cli import cli
from conductor.lib.config import FOREIGN, SETTINGS, Setting
from conductor.lib.submission.arguments import ARGUMENTS, BY_NAME

DOCS = Path(__file__).parents[2] / "docs" / "reference"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
COMMAND_PAGES = CLI + (DOCS / "downloads.md").read_text(encoding="utf-8")
CONFIG = (DOCS / "config.md").read_text(encoding="utf-8")


def commands(group: click.Group = cli, path: str = "conductor") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        elif command is not None and not command.hidden:
            yield f"{path} {name}", command


COMMANDS = dict(commands())


def section(name: str) -> str:
    """The text about a command, from its heading to the next one."""
    found = re.search(rf"^### `{re.escape(name)}`\n(.*?)(?=^##|\Z)", COMMAND_PAGES, re.MULTILINE | re.DOTALL)
    assert found, f"neither cli.md nor downloads.md has a heading for {name}"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_heading_and_its_options_are_explained_below_it(name: str) -> None:
    text = section(name)
    if "Options as for `conductor kill`" in text:
        text += section("conductor kill")
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option) and option.name not in BY_NAME and not option.hidden:
            assert all(f"`{spelling}" in text for spelling in option.opts), f"{name}: {option.opts}"


def test_no_heading_is_about_a_command_that_there_is_not() -> None:
    assert set(re.findall(r"^### `(.*)`$", COMMAND_PAGES, re.MULTILINE)) == set(COMMANDS)


def test_the_options_of_the_command_itself_are_explained() -> None:
    spellings = [spelling for option in cli.params for spelling in option.opts]
    assert all(
        f"`{spelling}`" in CLI for spelling in [*spellings, *cli.context_settings["help_option_names"]]
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_explained(setting: Setting) -> None:
    assert f"| `{setting.name}` |" in CONFIG


def test_the_arguments_that_are_joined_are_those_of_the_table() -> None:
    table = CONFIG.partition("joined how")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == {
        argument.name for argument in ARGUMENTS if argument.combines
    }


def test_the_names_that_are_passed_over_are_listed() -> None:
    # `config` and `user_dir` are the variables that say where the file is.
    assert "`CONDUCTOR_CONFIG`" in CONFIG
    assert "`CONDUCTOR_USER_DIR`" in CONFIG
    assert all(f"`{name}`" in CONFIG for name in FOREIGN - {"config", "user_dir"})
