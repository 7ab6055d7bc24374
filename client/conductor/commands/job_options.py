"""Options for the arguments of a submission, made from the table of arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from conductor.lib.arguments import ARGUMENTS, Argument
from conductor.lib.compound_kinds import ListOf, MapOf, Metadata, Record
from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.kinds import Flag


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
    repeated = isinstance(argument.kind, (MapOf, Metadata)) or _is_plain_list(argument)
    hint = "NAME=VALUE" if isinstance(argument.kind, (MapOf, Metadata)) else None
    if isinstance(argument.kind, Record) or argument.name == "tasks_data":
        hint = "JSON"
    declarations = [f"--{name}" for name in spellings]
    return click.option(*declarations, argument.name, multiple=repeated, metavar=hint, help=argument.doc)


def _is_plain_list(argument: Argument) -> bool:
    return isinstance(argument.kind, ListOf) and not isinstance(argument.kind.item, Record)


def from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that options gave, as ``Submit`` takes them."""
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for argument in ARGUMENTS:
        value = options.get(argument.name)
        if value is None or value == ():
            continue
        try:
            given[argument.name] = _read(argument, value)
        except ValueError as error:
            problems.append(
                Problem(f"--{argument.name.replace('_', '-')}", str(error), argument.kind.accepts)
            )
    if problems:
        raise BadArgumentError.listing(problems)
    return given


def _read(argument: Argument, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return argument.kind.from_text(value)
    if _is_plain_list(argument):
        return list(value)
    pairs = [text.partition("=") for text in value]
    if not all(mark for _, mark, _ in pairs):
        raise ValueError("text without =")
    return {name: text for name, _, text in pairs}
