"""Building the environment of tasks from packages, as lists that are joined at the end (wire reference 5.2).

``package_utils.merge_package_environments`` is the older, documented way; the vendor's clients since 2019 do it this
way. They differ in what they refuse: this one lets an exclusive value replace another, and refuses to mix exclusive
values with lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conductor.lib.exceptions import EnvironmentMergeError
from conductor.lib.package_tree import PLATFORMS
from conductor.lib.package_utils import is_value

SEPARATORS = {"linux": ":", "windows": ";"}
APPEND, PREPEND, EXCLUSIVE = POLICIES = ("append", "prepend", "exclusive")


@dataclass(frozen=True)
class _Value:
    """What a variable holds so far: one exclusive value, or a list of texts."""

    parts: tuple[str | int, ...]
    exclusive: bool


class PackageEnvironment(Mapping[str, "str | int"]):
    """The environment of tasks: a mapping from names to joined texts, in the order in which names were first set.

    An exclusive value that is a whole number stays one, as in the vendor's clients; in a list it is its decimal text,
    where those raise TypeError (wire reference 12.1).

    Lists are joined with ``:`` for Linux and ``;`` for Windows. The platform is that of the first package, or the one
    that came with the first list of variables (Linux if none did).
    """

    def __init__(self, *sources: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None) -> None:
        self._values: dict[str, _Value] = {}
        self._platform: str | None = None
        for source in sources:
            self.extend(source)

    @property
    def platform(self) -> str:
        """``linux`` or ``windows``."""
        return self._platform or PLATFORMS[0]

    def extend(
        self, source: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None, platform: str | None = None
    ) -> None:
        """Add the variables of a package, or a list of ``{"name", "value", "merge_policy"}``; nothing for nothing.

        ``platform`` is for lists; packages have their own. ``append`` adds at the end and ``prepend`` at the front,
        ``exclusive`` sets. Raises EnvironmentMergeError for another platform than so far, another policy, a list after
        an exclusive value that is not empty, and an exclusive value after a list; then nothing was added.
        """
        if not source:
            return
        if isinstance(source, Mapping):
            entries, platform = _entries(source), str(source.get("platform") or PLATFORMS[0])
        else:
            entries = list(source)
        chosen = self._agreed(platform)
        values = dict(self._values)
        for entry in entries:
            name, value, policy = _read(entry)
            values[name] = _joined(name, values.get(name), value, policy)
        self._values, self._platform = values, chosen

    def _agreed(self, platform: str | None) -> str:
        chosen = platform or self._platform or PLATFORMS[0]
        if chosen not in SEPARATORS:
            accepted = ", ".join(SEPARATORS)
            raise EnvironmentMergeError(f"there is no platform {chosen!r}; accepted: {accepted}")
        if self._platform not in (None, chosen):
            raise EnvironmentMergeError(
                f"variables for {chosen} cannot be added to those for {self._platform}"
            )
        return chosen

    def __getitem__(self, name: str) -> str | int:
        found = self._values[name]
        return found.parts[0] if found.exclusive else SEPARATORS[self.platform].join(map(str, found.parts))

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"PackageEnvironment({dict(self)!r}, platform={self.platform!r})"


def _entries(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if not isinstance(package.get("environment"), list):
        name = package.get("product") or package.get("package_id") or "this"
        raise EnvironmentMergeError(f"{name} has no list of variables under 'environment'")
    return list(package["environment"])


def _read(entry: Any) -> tuple[str, str | int, str]:
    try:
        name, value, policy = entry["name"], entry["value"], entry["merge_policy"]
    except (KeyError, TypeError):
        name = value = policy = None
    if not isinstance(name, str) or not is_value(value):
        raise EnvironmentMergeError(
            f"a variable is {entry!r}; accepted: an object with name, value and merge_policy, all of them text, or a "
            "whole number as value"
        )
    if policy not in POLICIES:
        raise EnvironmentMergeError(
            f"unexpected merge policy {policy!r} of {name}; accepted: {', '.join(POLICIES)}"
        )
    return name, value, policy


def _joined(name: str, there: _Value | None, value: str | int, policy: str) -> _Value:
    if policy == EXCLUSIVE:
        if there is not None and not there.exclusive:
            raise EnvironmentMergeError(
                f"{name} is a list ({', '.join(map(str, there.parts))}) and cannot be set to {value!r} exclusively"
            )
        return _Value((value,), exclusive=True)
    if there is None or (there.exclusive and not there.parts[0]):
        return _Value((value,), exclusive=False)
    if there.exclusive:
        raise EnvironmentMergeError(
            f"{name} is set exclusively to {there.parts[0]!r}, so {value!r} cannot be added to it"
        )
    return _Value((*there.parts, value) if policy == APPEND else (value, *there.parts), exclusive=False)
