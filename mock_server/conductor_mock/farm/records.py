"""The lines of an account's log, and how each version of each command is read.

When the JSON of a kind changes, its version goes up, so that an older server knows that it cannot read it. A field that
was added has its default in what was written before; for any other change an upcaster from the old form joins
`UPCASTERS`: logs outlive releases.
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


UPCASTERS: Mapping[tuple[str, int], Callable[[Json], Json]] = {}
"""`(kind, v)` -> a function from the JSON of version `v` to that of `v + 1`, where that is more than new defaults."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of an account's log: the `seq`-th command (from 1), accepted at simulated time `t_us`."""

    seq: int
    t_us: int
    command: Command


def decode(kind: str, version: int, data: Json) -> Command:
    """The command that was stored as `(kind, version, data)`.

    Raises UnknownCommandError for what is newer than us, EncodingError for JSON that is none of its kind.
    """
    if kind not in KINDS:
        raise UnknownCommandError(f"the log holds a command {kind!r} that this version does not know")
    cls = KINDS[kind]
    if version > cls.version:
        raise UnknownCommandError(
            f"the log holds {kind!r} in version {version}, this version reads {cls.version}"
        )
    for older in range(version, cls.version):
        upcast = UPCASTERS.get((kind, older))
        data = data if upcast is None else upcast(data)
    return cls.from_json(data)
