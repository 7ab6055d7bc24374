"""What our client makes of packages, beside what 9.2.0 makes of them: every short merge, and the whole catalogue."""

from __future__ import annotations

import itertools
from typing import Any

from conductor.lib.exceptions import EnvironmentMergeError
from conductor.lib.package_environment import POLICIES, SEPARATORS, PackageEnvironment
from conductor.lib.package_tree import PackageTree
from vendor.scenarios import after, scenario
from vendor.test_catalog import building_menus
from vendor.workstation import Workstation

Json = dict[str, Any]
Source = tuple[list[Json], str]

LONGEST = 3
ENTRIES = [
    {"name": "V", "value": value, "merge_policy": policy}
    for policy, value in itertools.product((*POLICIES, "replace"), ("", "x", "y"))
]


NUMBERS = [
    {"name": "V", "value": value, "merge_policy": policy}
    for policy, value in itertools.product(POLICIES, ("", "1", 0, 1))
]
"""Text and whole numbers, which some published packages have (wire reference 12.1)."""


def cases_of_numbers() -> list[list[Source]]:
    """Every way to set a variable up to three times to text or a number."""
    return [
        [([entry], "linux") for entry in chosen]
        for length in range(1, LONGEST + 1)
        for chosen in itertools.product(NUMBERS, repeat=length)
    ]


def in_text(sources: list[Source]) -> list[Source]:
    """The same with the decimal text of every number that is joined to others."""
    return [
        (
            [
                one if one["merge_policy"] == "exclusive" else {**one, "value": str(one["value"])}
                for one in entries
            ],
            platform,
        )
        for entries, platform in sources
    ]


def cases() -> list[list[Source]]:
    """Every way to set a variable up to three times, for each platform; and sources of two platforms."""
    merges = [
        [([entry], platform) for entry in chosen]
        for length in range(1, LONGEST + 1)
        for chosen in itertools.product(ENTRIES, repeat=length)
        for platform in SEPARATORS
    ]
    other = [{"name": "W", "value": "w", "merge_policy": "append"}]
    mixed: list[list[Source]] = [
        [(other, one), (other, two)] for one, two in itertools.product(SEPARATORS, repeat=2)
    ]
    nothing: list[list[Source]] = [
        [([], one), (other, two)] for one, two in itertools.product(SEPARATORS, repeat=2)
    ]
    return merges + mixed + nothing


def built(sources: list[Source]) -> dict[str, str | int] | None:
    environment = PackageEnvironment()
    try:
        for entries, platform in sources:
            environment.extend(entries, platform)
    except EnvironmentMergeError:
        return None
    return dict(environment)


@scenario()
def merging_environments(desk: Workstation) -> list[Json | None]:
    return list(desk.drive("environments", cases()))


@after(merging_environments)
def test_both_clients_merge_alike_and_refuse_alike(result: list[Json | None]) -> None:
    ours = [built(case) for case in cases()]
    differing = [
        (case, theirs, own) for case, theirs, own in zip(cases(), result, ours, strict=True) if theirs != own
    ]
    assert differing == []
    assert None in ours
    assert {"V": "y:x:x"} in ours
    assert {"V": "x;y"} in ours


@scenario()
def merging_numbers(desk: Workstation) -> list[Json | str | None]:
    return list(desk.drive("environments", cases_of_numbers()))


@after(merging_numbers)
def test_a_whole_number_stays_one_as_with_the_vendor_and_is_text_where_that_one_breaks(
    result: list[Json | str | None],
) -> None:
    broken = 0
    for case, theirs in zip(cases_of_numbers(), result, strict=True):
        own = built(case)
        if isinstance(theirs, str):
            assert theirs == "TypeError"
            broken += 1
            assert own == built(in_text(case)), case
        else:
            assert repr(own) == repr(theirs), case  # 1 and "1" are two things
    assert 0 < broken < len(result)


@after(building_menus)
def test_both_clients_see_the_same_hosts_and_plugins(result: Json) -> None:
    tree = PackageTree(result["packages"], products=["maya-io"])
    assert sorted(package.label for package in tree.hosts()) == sorted(result["tree"]["hosts"])
    for host, plugins in result["tree"]["plugins_by_host"].items():
        theirs = {entry["plugin"]: sorted(entry["versions"]) for entry in plugins}
        ours = {product: sorted(versions) for product, versions in tree.plugins_of(host).items()}
        assert ours == theirs
