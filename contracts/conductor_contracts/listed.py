"""Commands that a program lists without loading them: what help and completion say stands beside where each one is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

import click


class Listed(NamedTuple):
    """Where a command is, as `module:name`, and what a list says of it: the first sentence of its docstring."""

    address: str
    help: str


class ListedCommands(Mapping[str, click.Command]):
    """Commands by their names, each of which is imported when it is asked for."""

    def __init__(self, listed: Mapping[str, Listed]) -> None:
        self.listed = listed

    def __getitem__(self, name: str) -> click.Command:
        """Import a command. KeyError if there is none of that name."""
        module, _, attribute = self.listed[name].address.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)
