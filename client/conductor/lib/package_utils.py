"""Merging the environments of software packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conductor.lib.exceptions import EnvironmentMergeError

SEPARATOR = ":"
APPEND, EXCLUSIVE = "append", "exclusive"


def merge_package_environments(
    packages: Iterable[Mapping[str, Any]], base_env: Mapping[str, str | int] | None = None
) -> dict[str, str | int]:
    """Return ``base_env`` with the variables of the packages merged in, in the order given.

    A variable with the policy ``append`` is joined to what is there with ``:``, one with ``exclusive`` must
    be unset or have the same value (wire reference 5.1). A value that is a whole number stays one as long as nothing is
    joined to it, and is its decimal text where it is joined or compared (wire reference 12.1). ``base_env`` is left as
    it is. Packages are records such as ``request_software_packages`` returns; one without ``environment`` adds nothing.

    Raises EnvironmentMergeError that names the variable, both values and the packages; or the policy that
    is neither of the two.
    """
    merged = dict(base_env or {})
    setters: dict[str, list[str]] = {name: ["base_env"] for name in merged}
    for package in packages:
        label = _label(package)
        for entry in package.get("environment") or ():
            name, value, policy = _entry(entry, label)
            if policy == APPEND:
                # An empty value counts as unset here, but not below: so says the vendor's function.
                there = merged.get(name, "")
                merged[name] = str(value) if there == "" else f"{there}{SEPARATOR}{value}"
            elif policy == EXCLUSIVE:
                if str(merged.setdefault(name, value)) != str(value):
                    raise _conflict(name, merged[name], setters[name], value, label)
            else:
                raise EnvironmentMergeError(
                    f"unexpected merge policy {policy!r} of {name} in {label}; accepted: {APPEND}, {EXCLUSIVE}"
                )
            setters.setdefault(name, []).append(label)
    return merged


def is_value(value: object) -> bool:
    """Return whether an environment variable can have this value: text or a whole number (wire reference 12.1)."""
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _entry(entry: Any, label: str) -> tuple[str, str | int, Any]:
    try:
        name, value, policy = entry["name"], entry["value"], entry["merge_policy"]
    except (KeyError, TypeError):
        raise EnvironmentMergeError(
            f"a variable of {label} is {entry!r}; accepted: an object with name, value and merge_policy"
        ) from None
    if not isinstance(name, str) or not is_value(value):
        raise EnvironmentMergeError(
            f"a variable of {label} is {entry!r}; accepted: a name as text, a value as text or a whole number"
        )
    return name, value, policy


def _label(package: Mapping[str, Any]) -> str:
    for key in ("relative_path", "package", "product", "package_id"):
        if package.get(key):
            return str(package[key])
    return "a package without a name"


def _conflict(
    name: str, there: str | int, setters: list[str], value: str | int, label: str
) -> EnvironmentMergeError:
    by = ", ".join(dict.fromkeys(setters))
    return EnvironmentMergeError(
        f"{name} cannot be both {there!r} (set by {by}) and {value!r}, which {label} sets exclusively"
    )
