"""Versions as the shipped table writes them, and as packages have them (wire reference 2.1).

A dot separates the parts of a version, an underscore stands for a dot within one: `2016_5.SP0` has the parts `2016.5`
and `SP0`, `20.5.370.gcc9_3` the parts 20, 5, 370 and `gcc9.3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

_PIECES = re.compile(r"([0-9]+)|([^0-9]+)")
_LEADING = re.compile(r"[0-9]+")


def parts(version: str) -> list[str]:
    """The version parts, `["2016.5", "SP0"]` of `2016_5.SP0`."""
    return [written(part) for part in version.split(".")]


def written(version: str) -> str:
    """The version as it is shown: `2016.5.SP0` of `2016_5.SP0`."""
    return version.replace("_", ".")


@lru_cache(1024)  # a table names a version for each platform and each version of a host
def order(version: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts versions of a product from the oldest to the newest: digits as numbers, a shorter one first."""
    return tuple((int(digits) if digits else -1, other) for digits, other in _PIECES.findall(version))


def at(version: str, since: Mapping[str, str]) -> str:
    """What holds at a version: the value of the last key that is not newer. Raises KeyError if all are."""
    held = [key for key in since if order(key) <= order(version)]
    if not held:
        raise KeyError(version)
    return since[max(held, key=order)]


def host_major(plugin_host_version: str, majors: Iterable[str]) -> str:
    """The major version of the hosts that a plug-in goes with (wire reference 12.7).

    It is the leading number of `plugin_host_version`: `10` of `10.5`. Where a host has all of it as its major version,
    as Maya has `2016.5`, it is that (so the listing of 2018 has it, wire reference 12.8).
    """
    if plugin_host_version in majors:
        return plugin_host_version
    leading = _LEADING.match(plugin_host_version)
    return leading.group() if leading else ""
