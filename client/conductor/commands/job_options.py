"""Options for the arguments of a submission, made from the table of arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from conductor.commands.common import NO_PATH, absolute
from conductor.lib.submission.arguments import ARGUMENTS, Argument
from conductor.lib.values.compound import ListOf, MapOf, Metadata, Record
from conductor.lib.values.kinds import Flag, PathText


def argument_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command an option for every argument of a submission."""
    for argument in reversed(ARGUMENTS):
        command = _option(argument)(command)
    return command


def _option(argument: Argument) -> Callable[..., Any]:
    spellings = [name.replace("_", "-") for name in argument.names]
    if isinstance(argument.kind, Flag):
        declarations = [f"--{name}/--no-{name}" for name in spellings]
        return click.option(*declarations, argument.name, default=None, help=argument.doc)
    repeated = isinstance(argument.kind, (MapOf, Metadata, ListOf))
    hint = "NAME=VALUE" if isinstance(argument.kind, (MapOf, Metadata)) else None
    if isinstance(argument.kind, Record) or (repeated and _holds_records(argument)):
        hint = "JSON"
    declarations = [f"--{name}" for name in spellings]
    return click.option(*declarations, argument.name, multiple=repeated, metavar=hint, help=argument.doc)


def option_of(argument: Argument) -> str:
    """Return the option of an argument."""
    return f"--{argument.name.replace('_', '-')}"


def _holds_records(argument: Argument) -> bool:
    return isinstance(argument.kind, ListOf) and isinstance(argument.kind.item, Record)


@dataclass(frozen=True)
class _Unreadable:
    """The text of an option that cannot be read at all.

    It takes the value's place, so that the check of the arguments reports it together with everything else.
    """

    text: str
    reason: str

    def __repr__(self) -> str:
        return f"{self.text[:60]!r} ({self.reason})"


def from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that options gave, as ``Submit`` takes them and checks them."""
    stated = [(argument, options.get(argument.name)) for argument in ARGUMENTS]
    return {
        argument.name: _read(argument, value)
        for argument, value in stated
        if value is not None and value != ()
    }


def _read(argument: Argument, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value and isinstance(argument.kind, PathText):
            return _Unreadable(value, NO_PATH)
        return _from_text(argument, value)
    if _holds_records(argument):
        return _joined(_from_text(argument, text) for text in value)
    if isinstance(argument.kind, ListOf):
        return (
            [absolute(path, option_of(argument)) for path in value] if _holds_paths(argument) else list(value)
        )
    pairs = [text.partition("=") for text in value]
    for name, mark, text in pairs:
        if not mark:
            return _Unreadable(name + text, "text without =")
    return {name: text for name, _, text in pairs}


def _from_text(argument: Argument, text: str) -> Any:
    try:
        return argument.kind.from_text(text)
    except ValueError as error:
        return _Unreadable(text, str(error))


def _joined(values: Iterable[Any]) -> Any:
    """Return one list of items and lists of items, or the first of them that cannot be read."""
    items: list[Any] = []
    for value in values:
        if isinstance(value, _Unreadable):
            return value
        items.extend(value if isinstance(value, list) else [value])
    return items


def _holds_paths(argument: Argument) -> bool:
    return isinstance(argument.kind, ListOf) and isinstance(argument.kind.item, PathText)
