"""The lines of an account's log, and how each version of each command is read.

When the JSON of a kind changes, its version goes up and an upcaster from the old form joins `UPCASTERS`: logs outlive
releases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from conductor_mock.farm.commands import Command

Json = dict[str, Any]


class UnknownCommandError(ValueError):
    """A record that this version cannot read: a kind or a version that a newer one wrote."""


KINDS: Mapping[str, type[Command]] = {command.kind: command for command in get_args(Command)}


def _without_execution(options: Json) -> Json:
    return {**options, "execute": 0}


UPCASTERS: Mapping[tuple[str, int], Callable[[Json], Json]] = {
    ("account.opened", 1): lambda data: {**data, "options": _without_execution(data["options"])},
    ("job.created", 1): lambda data: {**data, "idempotency_key": None},
    ("options.changed", 1): _without_execution,
}
"""`(kind, v)` -> a function from the JSON of version `v` to that of `v + 1`."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of an account's log: the `seq`-th command (from 1), accepted at simulated time `t_us`."""

    seq: int
    t_us: int
    command: Command


def decode(kind: str, version: int, data: Json) -> Command:
    """The command that was stored as `(kind, version, data)`. Raises UnknownCommandError for what is newer than us."""
    if kind not in KINDS:
        raise UnknownCommandError(f"the log holds a command {kind!r} that this version does not know")
    cls = KINDS[kind]
    while version < cls.version:
        data = UPCASTERS[kind, version](data)
        version += 1
    if version > cls.version:
        raise UnknownCommandError(
            f"the log holds {kind!r} in version {version}, this version reads {cls.version}"
        )
    return cls.from_json(data)
