"""Packages as a tree of hosts and plugins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.exceptions import BadArgumentError
from conductor.lib.package_tree import Package, PackageTree


def record(package_id: str, product: str, version: str, *plugins: str, **more: Any) -> dict[str, Any]:
    parts = dict(zip(("major_version", "minor_version", "release_version"), version.split(".")))
    return {
        "package_id": package_id,
        "product": product,
        "platform": "linux",
        "plugins": list(plugins),
        **parts,
        **more,
    }


def plugin(package_id: str, product: str, version: str, *plugins: str, **more: Any) -> dict[str, Any]:
    return record(package_id, product, version, *plugins, plugin_host_product="maya-io", **more)


PACKAGES = [
    record("m10", "maya-io", "10.1", "a7", "gone", "y"),
    record("m9", "maya-io", "9.2", "a7", "a12"),
    record("w9", "maya-io", "9.2", platform="windows"),
    record("v", "vray", "3"),
    record("other", "thing", "1", platform="amiga"),
    plugin("a12", "arnold-maya", "12"),
    plugin("a7", "arnold-maya", "7.0"),
    plugin("y", "yeti", ""),
]


def labels(tree: PackageTree) -> list[str]:
    return [package.label for package in tree.hosts()]


def test_hosts_are_the_roots_sorted_by_product_and_by_version_as_numbers() -> None:
    assert labels(PackageTree(PACKAGES)) == [
        *("maya-io 9.2 linux", "maya-io 9.2 windows", "maya-io 10.1 linux", "vray 3 linux")
    ]


def test_products_and_platforms_narrow_the_roots() -> None:
    assert labels(PackageTree(PACKAGES, products=["vray", "maya-io"], platforms=["linux"])) == [
        *("maya-io 9.2 linux", "maya-io 10.1 linux", "vray 3 linux")
    ]
    assert labels(PackageTree(PACKAGES, products=["arnold-maya", "vray"])) == ["vray 3 linux"]
    assert labels(PackageTree(PACKAGES, products=["nothing"])) == []


def test_one_product_alone_may_be_a_plugin() -> None:
    assert labels(PackageTree(PACKAGES, products=["arnold-maya"])) == [
        "arnold-maya 7.0 linux",
        "arnold-maya 12 linux",
    ]


def test_plugins_are_those_that_the_host_names_and_that_there_are() -> None:
    tree = PackageTree(PACKAGES)
    assert tree.plugins_of("maya-io 9.2 linux") == {"arnold-maya": ["7.0", "12"]}
    assert tree.plugins_of("maya-io 10.1") == {"arnold-maya": ["7.0"], "yeti": [""]}
    assert tree.plugins_of("maya-io 9.2 windows") == {}


def test_a_package_is_found_by_its_labels() -> None:
    tree = PackageTree(PACKAGES)
    assert tree.find("vray 3").package_id == "v"
    assert tree.find("maya-io 9.2 linux", "arnold-maya 12 linux").package_id == "a12"
    assert tree.find("maya-io 10.1", "yeti").package_id == "y"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("maya-io 9.2",), "a host, with its platform"),
        (("maya-io 9.3 linux",), "did you mean maya-io 9.2 linux?"),
        (("arnold-maya 12 linux",), "a host"),
        (("maya-io 10.1", "arnold-maya 12"), "a plugin of maya-io 10.1 linux; did you mean arnold-maya 7.0"),
    ],
)
def test_what_there_is_not_is_named_with_what_there_is(path: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        PackageTree(PACKAGES).find(*path)
    assert reason in str(caught.value)


def test_a_tree_is_written_with_its_plugins() -> None:
    [windows] = PackageTree(PACKAGES, products=["maya-io"], platforms=["windows"]).as_records()
    assert windows == {
        "package_id": "w9",
        "product": "maya-io",
        "version": "9.2",
        "platform": "windows",
        "plugins": [],
    }
    maya, *_ = PackageTree(PACKAGES, products=["maya-io"]).as_records()
    assert [below["package_id"] for below in maya["plugins"]] == ["a7", "a12"]


def test_plugins_of_plugins_hang_below_them_and_cycles_end() -> None:
    packages = [
        record("h", "host", "1", "p"),
        plugin("p", "plug", "1", "q", "p"),
        plugin("q", "deep", "1", "p", "h"),
    ]
    assert [branch.package.package_id for branch in PackageTree(packages).walk()] == ["h", "p", "q"]


def test_a_package_of_old_says_neither_platform_nor_plugins() -> None:
    tree = PackageTree([{"package_id": "o", "product": "nuke", "major_version": "11", "minor_version": None}])
    assert tree.find("nuke 11 linux").package_id == "o"


records = st.lists(
    st.builds(
        record,
        st.sampled_from("abcdef"),
        st.sampled_from(["maya-io", "x"]),
        st.text(st.sampled_from("0123456789.v²٣"), max_size=6),
        st.sampled_from("abcdef"),
        st.sampled_from("abcdef"),
        plugin_host_product=st.sampled_from(["", None, "maya-io"]),
    ),
    max_size=6,
)


@given(records)
def test_any_records_make_a_finite_sorted_tree_of_what_was_given(given_records: list[dict[str, Any]]) -> None:
    tree = PackageTree(given_records)
    orders = [package.order for package in tree.hosts()]
    assert orders == sorted(orders)
    assert {branch.package.package_id for branch in tree.walk()} <= {
        record["package_id"] for record in given_records
    }


def test_versions_sort_as_numbers_however_long() -> None:
    versions = ["2", "10", "10.1", "9" * 5000]
    packages = [Package.from_record({"major_version": version}) for version in reversed(versions)]
    assert [package.version for package in sorted(packages, key=lambda package: package.order)] == versions
