"""How the shipped table is read: versions, what holds from one on, and which hosts a plug-in goes with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.catalog import CatalogError, versions
from conductor_mock.catalog.build import build
from conductor_mock.catalog.package_rules import display_version

Record = dict[str, Any]


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("2018.SP0", ["2018", "SP0"]),
        ("2016_5.SP0", ["2016.5", "SP0"]),
        ("20.5.370.gcc9_3", ["20", "5", "370", "gcc9.3"]),
        ("4.0b", ["4", "0b"]),
        ("2014", ["2014"]),
    ],
)
def test_a_dot_separates_parts_and_an_underscore_is_a_dot_within_one(version: str, parts: list[str]) -> None:
    assert versions.parts(version) == parts
    assert versions.written(version) == ".".join(parts)


OLDEST_FIRST = """
    2.1.9 2.1.10 2.2 2.2.0 3.6.5.glibc217 3.6.23.glibc217 10.5.5 2016.SP0 2016_5.SP0 2017.SP0 2018.SP2 2018.SP10
"""


def test_versions_are_sorted_as_numbers() -> None:
    expected = OLDEST_FIRST.split()
    newest_first = list(reversed(expected))
    assert sorted(newest_first, key=versions.order) == expected


VERSIONS = st.lists(
    st.integers(0, 30).map(str) | st.sampled_from(["SP1", "sp3", "gcc9_3"]), min_size=1, max_size=4
)


@given(st.lists(VERSIONS.map(".".join), min_size=1, unique=True), VERSIONS.map(".".join))
def test_what_holds_at_a_version_is_the_newest_that_is_not_newer(since: list[str], version: str) -> None:
    table = {each: each for each in since}
    older = [each for each in since if versions.order(each) <= versions.order(version)]
    if not older:
        with pytest.raises(KeyError):
            versions.at(version, table)
    else:
        held = versions.at(version, table)
        assert held in older
        assert all(versions.order(each) <= versions.order(held) for each in older)


@pytest.mark.parametrize(
    ("host_version", "majors", "major"),
    [
        ("2018", {"2017", "2018"}, "2018"),
        ("10.5", {"10", "11"}, "10"),
        ("2_5", {"2"}, "2"),
        ("16.0.736", {"16"}, "16"),
        ("2016.5", {"2016", "2016.5"}, "2016.5"),
        ("2016.5", {"2016"}, "2016"),
        ("any", {"1"}, ""),
    ],
)
def test_the_leading_number_of_a_host_version_is_the_major_version_of_the_host(
    host_version: str, majors: set[str], major: str
) -> None:
    assert versions.host_major(host_version, majors) == major


# Tables


def table(*products: Record) -> Record:
    return {"products": products, "projects": {}, "instance_types": [], "gpus": {}, "env_vars": {}}


def product(name: str, told: object, platform: str = "linux", **fields: object) -> Record:
    return {
        "product": name,
        "vendor": "acme",
        "title": name.title(),
        "license": "0",
        "versions": {platform: {"plausible": told}},
        **fields,
    }


PAINT = product("paint", "1.0 1.1 2.0", known_as="painter")


def packages(*products: Record) -> dict[str, Record]:
    """The packages of a table by product and version."""
    return {
        f"{each['product']} {display_version(each)}": each for each in build(table(*products))["packages"]
    }


def test_a_plugin_is_linked_to_all_hosts_of_the_major_version_by_the_name_that_it_calls_them() -> None:
    found = packages(PAINT, product("brush", {"1.9": "7"}, host="painter"))
    assert found["brush 7"]["plugin_hosts"] == [
        found[name]["package_id"] for name in ("paint 1.0", "paint 1.1")
    ]
    assert found["paint 2.0"]["plugins"] == []
    assert (found["brush 7"]["plugin_host_product"], found["brush 7"]["plugin_host_version"]) == (
        "painter",
        "1.9",
    )


def test_a_plugin_may_be_the_host_of_another() -> None:
    found = packages(
        PAINT, product("brush", {"1": "7.2"}, host="painter"), product("hair", {"7": "3"}, host="brush")
    )
    assert found["brush 7.2"]["plugins"] == [found["hair 3"]["package_id"]]
    assert found["hair 3"]["plugin_hosts"] == [found["brush 7.2"]["package_id"]]


@pytest.mark.parametrize(
    ("told", "host", "platform"),
    [({"3": "7"}, "painter", "linux"), ({"1": "7"}, "paint", "linux"), ({"1": "7"}, "painter", "windows")],
)
def test_a_plugin_for_a_host_that_there_is_none_of_is_refused(told: object, host: str, platform: str) -> None:
    with pytest.raises(CatalogError, match=f"brush is for {host} .* not above it"):
        packages(PAINT, product("brush", told, platform, host=host))


@pytest.mark.parametrize(
    ("told", "fields", "message"),
    [
        ({"1": "7"}, {}, "brush stands under versions of a host, and names none"),
        ("7", {"host": "painter"}, "brush has a host and no versions of it"),
    ],
)
def test_a_plugin_names_its_host_and_versions_of_it(
    told: object, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        packages(PAINT, product("brush", told, **fields))


def test_a_plugin_may_be_without_a_host_if_the_table_says_so() -> None:
    assert (
        packages(PAINT, product("brush", {"3": "7"}, host="painter", without_host="3"))["brush 7"][
            "plugin_hosts"
        ]
        == []
    )


def test_what_is_twice_in_the_table_is_refused_by_the_name_of_its_installer() -> None:
    with pytest.raises(CatalogError, match=r"paint-1\.0-linux\.tgz is twice"):
        packages(product("paint", "1.0 1.0"))


def test_the_id_of_a_package_is_the_md5_of_its_installer_unless_the_table_gives_one() -> None:
    # The example of wire reference 12.21.
    nuke = product(
        "nuke",
        "10.5.5 11.0.1",
        installer="Nuke{major}.{minor}v{release}-linux-x86-release-64.tgz",
        ids={"11.0.1": "1"},
    )
    found = packages(nuke)
    assert found["nuke 10.5.5"]["package_id"] == "11228b2423a9217e03e7e5709c8cf2da"
    assert found["nuke 11.0.1"]["package_id"] == "1"


def test_an_installer_may_be_called_otherwise_from_a_version_on() -> None:
    found = packages(product("yarn", "1.9 2.0 3.1", installer={"1": "old-{version}", "2": "new-{joined}"}))
    assert [each["package"] for each in found.values()] == ["old-1.9", "new-20", "new-31"]
