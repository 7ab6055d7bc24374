"""Package records that others published: they go in and come out equal, and both clients see one tree in them.

And what plug-ins make of the shipped ones by the first element of a set, whatever the order of sets is.
"""

from __future__ import annotations

from typing import Any

import pytest

from conductor.lib.package_tree import Branch, Package, PackageTree
from conductor_mock.catalog import default, named
from support.listing import WITHOUT, listing_or_none
from vendor.environments import CURRENT, OLDER
from vendor.scenarios import after, scenario
from vendor.workstation import Workstation

Json = dict[str, Any]

SEEDS = ("0", "1", "2", "3", "4", "5", "6", "7")
CHOICES = {
    "maya-io": ["maya-io 2024.SP2", "arnold-maya 5.3.3.1"],
    "houdini": ["houdini 20.5.370.gcc9.3", "arnold-houdini 6.3.1"],
    "blender": ["blender 4.2.3.glibc217", "redshift-blender 2025.2.0"],
    "3dsmax-io": ["3dsmax-io 2024.2", "arnold-3dsmax 5.6.5.2"],
    "unrealengine": ["unrealengine 5.4.4"],
}


def offer(desk: Workstation, document: Json) -> None:
    """Give the account a catalogue; there is an account once it has a token."""
    if not desk.account.is_known():
        desk.drive("call", [["api_client", "request_projects", [], {}]])
    desk.account.control("PUT", "catalog", body=document)


def served_after(desk: Workstation, document: Json) -> Json:
    """What the client lists once the account has this catalogue."""
    offer(desk, document)
    calls: list[list[Any]] = [
        ["api_client", name, [], {}] for name in ("request_software_packages", "request_instance_types")
    ]
    packages, machines = desk.drive("call", calls)
    return {"packages": packages["returned"], "instance_types": machines["returned"]}


@scenario()
def serving_the_fixtures(desk: Workstation) -> Json:
    """Each list of machines of ciocore's own tests, with their packages."""
    fixtures = desk.drive("fixtures")
    documents = {
        name: {"packages": fixtures["packages"], "instance_types": machines}
        for name, machines in fixtures["machines"].items()
    }
    return {name: [document, served_after(desk, document)] for name, document in documents.items()}


@scenario()
def serving_the_listing(desk: Workstation) -> Json:
    listing = listing_or_none()
    if listing is None:
        return {}
    return {"given": listing, **served_after(desk, {"packages": listing})}


@scenario()
def building_trees(desk: Workstation) -> list[Json]:
    """Of the shipped software, the listing where it is there, and, but for the oldest client, that of its own tests."""
    lists = [list(default().packages), list(named("2018").packages), listing_or_none() or []]
    return list(desk.drive("trees", lists if desk.client.version == OLDER[-1] else [*lists, None]))


@scenario()
def linking(desk: Workstation) -> Json:
    """By the rule of ciocore's own tests, which is that of the service."""
    return dict(desk.drive("links", list(default().packages)))


@scenario()
def choosing_by_the_first_platform(desk: Workstation) -> Json:
    return {seed: desk.drive("first_platform", CHOICES, PYTHONHASHSEED=seed) for seed in SEEDS}


@scenario()
def choosing_between_two_platforms(desk: Workstation) -> Json:
    """The same with a maya-io for windows too, as it must not be."""
    maya = next(package for package in default().packages if package["product"] == "maya-io")
    other = {**maya, "package_id": "0" * 32, "platform": "windows", "plugins": []}
    offer(desk, {"packages": [*default().packages, other]})
    choices = {"maya-io": CHOICES["maya-io"]}
    return {seed: desk.drive("first_platform", choices, PYTHONHASHSEED=seed)["maya-io"] for seed in SEEDS}


@after(serving_the_fixtures)
def test_the_records_of_the_clients_own_tests_go_in_and_come_out_equal(result: Json) -> None:
    assert {"AWS_INSTANCE_TYPES", "CW_INSTANCE_TYPES", "CW_INSTANCE_TYPES_WITH_GPUS"} <= set(result)
    for document, served in result.values():
        assert served == document


@after(serving_the_fixtures)
def test_among_them_are_the_odd_ones(result: Json) -> None:
    machines = result["CW_INSTANCE_TYPES_WITH_GPUS"][0]["instance_types"]
    assert any(record["categories"] is None for record in machines)
    assert any(record.get("gpu", {}).get("gpu_memory") == "128GB" for record in machines)
    assert all(record["cloud"] == "aws" for record in result["AWS_INSTANCE_TYPES"][0]["instance_types"])


@after(serving_the_listing)
def test_the_listing_of_2018_goes_in_and_comes_out_equal(result: Json) -> None:
    if not result:
        pytest.skip(WITHOUT)
    assert result["packages"] == result["given"]
    values = {type(each["value"]) for record in result["packages"] for each in record["environment"]}
    assert values == {str, int}


def node(branch: Branch, version: str) -> list[Any]:
    """A node of our tree, as the driver tells one of the client's; version 4 leaves the platform out of names."""
    name = _name(branch.package, version)
    return [branch.package.package_id, name, sorted(node(plugin, version) for plugin in branch.plugins)]


def _name(package: Package, version: str) -> str:
    return f"{package.product} {package.version}" if version == OLDER[-1] else package.label


def in_order(nodes: list[Any]) -> list[Any]:
    """The client's nodes sorted: its own are in the order of the list, ours by version."""
    return sorted([package_id, name, in_order(below)] for package_id, name, below in nodes)


def depth(nodes: list[Any]) -> int:
    return 1 + max((depth(below) for _, _, below in nodes), default=0) if nodes else 0


def agree(result: list[Json], version: str) -> None:
    """Both clients see the same nodes at the same places in every list."""
    for answer in result:
        tree = PackageTree(answer["packages"])
        assert sorted(node(root, version) for root in tree.roots) == in_order(answer["tree"])
    shipped, old, listing, *_ = result
    assert (depth(shipped["tree"]), depth(old["tree"])) == (2, 3)
    assert depth(listing["tree"]) in (0, 3)
    assert sum(1 for _ in PackageTree(shipped["packages"]).walk()) > 1000


@after(building_trees)
def test_both_clients_see_one_tree_node_by_node(result: list[Json]) -> None:
    agree(result, CURRENT)
    assert depth(result[3]["tree"]) == 2


@after(building_trees.by(OLDER[0]))
def test_the_client_of_2023_sees_the_same_tree(result: list[Json]) -> None:
    agree(result, OLDER[0])


@after(building_trees.by(OLDER[1]))
def test_the_client_of_2021_sees_the_same_tree(result: list[Json]) -> None:
    agree(result, OLDER[1])


@after(building_trees)
def test_the_tree_of_the_listing_was_compared(result: list[Json]) -> None:
    if not result[2]["packages"]:
        pytest.skip(WITHOUT)
    assert len(result[2]["packages"]) == 484


@after(choosing_by_the_first_platform)
def test_the_first_platform_of_the_set_is_the_right_one_whatever_the_order_of_sets(result: Json) -> None:
    assert set(result) == set(SEEDS)
    for chosen in result.values():
        for product, answer in chosen.items():
            platform = "windows" if product in ("3dsmax-io", "unrealengine") else "linux"
            wanted = CHOICES[product][-1].split()[0]
            assert answer == {
                "platforms": [platform],
                "found": f"{wanted} {platform}",
                "machines": [platform],
            }


@after(choosing_between_two_platforms)
def test_with_two_platforms_the_choice_hangs_on_the_order_of_sets(result: Json) -> None:
    assert {tuple(answer["platforms"]) for answer in result.values()} == {("linux", "windows")}
    assert {answer["found"] for answer in result.values()} == {None, "arnold-maya linux"}


@after(linking)
def test_plug_ins_are_linked_as_the_service_links_them(result: Json) -> None:
    # The rule knows of no half years, and so goes wrong with what the listing has for Maya 2016.5.
    half_a_year = {each["package_id"] for each in default().packages if each["major_version"] == "2016.5"}
    ours = {each["package_id"]: each for each in default().packages if each["plugin_host_product"]}
    assert set(result) == set(ours)
    whole = {key: each for key, each in ours.items() if half_a_year.isdisjoint(each["plugin_hosts"])}
    assert {key: sorted(each["plugin_hosts"]) for key, each in whole.items()} == {
        key: result[key] for key in whole
    }
    assert 300 < len(whole) < len(ours)
