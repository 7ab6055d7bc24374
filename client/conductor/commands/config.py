"""``conductor config``: the settings in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from conductor.commands.common import json_option, print_records
from conductor.commands.groups import NearGroup
from conductor.commands.tables import Column
from conductor.lib.wire.redaction import HIDDEN

if TYPE_CHECKING:
    from conductor.lib.exceptions import Problem
    from conductor.lib.submission.arguments import Argument, Sourced


@click.group(cls=NearGroup)
def config() -> None:
    """Show the settings."""


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Print every setting, and every argument of a submission, with its value and where that came from.

    In rising order: a default, the config file, a variable of the environment. Keys are not shown. An argument that is
    given to a submission wins over all of them, or is joined to them where the reference says so.
    """
    columns = (Column("name"), Column("value", cut=True), Column("source"))
    print_records(_rows(as_json), columns, as_json)


def _rows(as_json: bool) -> Iterator[dict[str, Any]]:
    from conductor.lib.config import SETTINGS, Config, Secret
    from conductor.lib.submission.arguments import ARGUMENTS

    settings = Config.load()
    for setting in SETTINGS:
        value, source = settings[setting.name], settings.source(setting.name)
        if isinstance(setting.kind, Secret) and value is not None:
            value = HIDDEN
        elif setting.name in ("api_url", "auth_url") and value is None:
            value, source = settings.api_url if setting.name == "api_url" else settings.url, "from url"
        elif setting.name == "thread_count" and value is None:
            value = settings.thread_count
        yield _row(setting.name, value, source, as_json)
    configured = settings.submission()
    for argument in ARGUMENTS:
        if argument.name in configured:
            sourced = configured[argument.name]
            yield _row(argument.name, _as_sent(argument, sourced), sourced.source, as_json)
        else:
            yield _row(argument.name, _default(argument), "default", as_json)


def _default(argument: Argument) -> Any:
    """Return what a submission takes where nothing is given; None where it would ask for a value."""
    from conductor.lib.exceptions import BadArgumentError

    try:
        return argument.default() if callable(argument.default) else argument.default
    except BadArgumentError:  # the owner, on a system that has no name for its user
        return None


def _as_sent(argument: Argument, sourced: Sourced) -> Any:
    """Return the value in the form that a submission gives it; one that it would refuse is shown as it is."""
    from conductor.lib.values.kinds import Spot

    problems: list[Problem] = []
    value = argument.kind.check(sourced.value, Spot(argument.name, problems, sourced.source))
    return sourced.value if problems else value


def _row(name: str, value: Any, source: str, as_json: bool) -> dict[str, Any]:
    if not as_json and isinstance(value, (dict, list, bool)):
        import json

        value = json.dumps(value, default=str)
    return {"name": name, "value": value, "source": source}
