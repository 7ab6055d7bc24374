"""What the shipped packages are called: each name has a witness, and programs find what they look for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.catalog import default, named
from conductor_mock.catalog.build import products_of
from conductor_mock.catalog.files import table
from conductor_mock.catalog.package_rules import display_version
from conductor_mock.catalog.releases import Release, releases
from support.listing import listing_of_2018

Record = dict[str, Any]

LISTING, PLAUSIBLE = "listing 2018", "plausible"
REFERENCE = Path(__file__).parents[2] / "docs" / "wire-protocol.md"


def shipped() -> Record:
    return table("default.yaml")


def all_releases() -> Iterator[Release]:
    for product in products_of(shipped()):
        yield from releases(product)


def releases_of_2018() -> list[Release]:
    """What the table says that the listing has."""
    extra = products_of(table("2018.yaml"))
    return [
        *(release for release in all_releases() if release.witness == LISTING),
        *(release for product in extra for release in releases(product)),
    ]


def record_of(release: Release) -> Record:
    record = named("2018").package(release.package_id)
    assert record is not None
    return record


# Witnesses


def unknown_products(products: list[Record]) -> list[str]:
    """Products that nobody names: all their versions are plausible ones, and no `known_from` excuses that."""
    return [
        product["product"]
        for product in products
        if not product.get("known_from") and {each.witness for each in releases(product)} <= {PLAUSIBLE}
    ]


def test_every_version_rests_on_a_witness_that_the_table_explains() -> None:
    witnesses = shipped()["witnesses"]
    told = {release.witness for release in all_releases()}
    told |= {product["known_from"] for product in products_of(shipped()) if "known_from" in product}
    assert told == set(witnesses)


def test_no_product_is_made_up() -> None:
    assert unknown_products(products_of(shipped())) == []


def test_a_product_that_nobody_knows_is_found() -> None:
    acme = {"product": "acme", "vendor": "acme", "versions": {"linux": {PLAUSIBLE: "1.0"}}}
    assert unknown_products([*products_of(shipped()), acme]) == ["acme"]
    assert unknown_products([{**acme, "known_from": "ciomax"}]) == []


def test_what_was_seen_or_documented_stands_in_the_wire_reference() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    seen = {each["product"] for each in products_of(shipped()) if each.get("known_from") == "live 2026"}
    seen |= {release.name for release in all_releases() if release.witness == "documentation"}
    assert seen >= {"kohya", "sdxl1-kohya", "deadline"}
    assert [name for name in sorted(seen) if name not in text] == []


def shape(version: str) -> str:
    """A version with N for its numbers: `2018.SP2` is `N.SPN`."""
    return re.sub(r"[0-9]+", "N", version)


def test_a_plausible_version_has_the_shape_of_one_that_somebody_told() -> None:
    for product in products_of(shipped()):
        shapes: dict[bool, set[str]] = {True: set(), False: set()}
        for release in releases(product):
            shapes[release.witness == PLAUSIBLE].add(shape(release.version))
        assert not shapes[False] or shapes[True] <= shapes[False], product["product"]


# The listing of 2018

HOST_VERSIONS_OF_ITS_OWN = {("al-shaders", "any"): "2.0", ("arnold-clarisse", "16.0.736"): "4.0"}
"""Where the listing says nothing by which plug-ins could be linked: it links these by hand."""
IDS_OF_ITS_OWN = {"clarisse 4.0b", "arnold-clarisse 2.0.2.2"}
"""What the listing has under ids that are visibly not the service's: they end in ffffff and dddddd."""


def listed() -> dict[tuple[str, str, str], Record]:
    """The listing by product, version and version of the host, this without dots: it has 2016.5 and 20165."""
    return {
        (
            record["product"],
            display_version(record),
            host_digits(record["product"], record["plugin_host_version"]),
        ): record
        for record in listing_of_2018()
    }


def host_digits(product: str, host_version: str) -> str:
    return re.sub(r"\D", "", HOST_VERSIONS_OF_ITS_OWN.get((product, host_version), host_version))


def test_what_rests_on_the_listing_is_in_it_by_name_installer_and_id() -> None:
    records = listed()
    ours = releases_of_2018()
    assert len(ours) == len(named("2018").packages) > 300
    for release in ours:
        own = record_of(release)
        theirs = records[
            release.name, display_version(own), host_digits(release.name, own["plugin_host_version"])
        ]
        for key in (
            "vendor",
            "plugin_host_product",
            "major_version",
            "minor_version",
            "release_version",
            "build_version",
        ):
            assert own[key] == theirs[key], (release, key)
        if f"{release.name} {display_version(own)}" not in IDS_OF_ITS_OWN:
            assert own["package_id"] == theirs["package_id"], release
            assert (
                release.package_id in release.product.get("ids", {}).values()
                or own["package"] == theirs["package"]
            )


def test_every_product_of_the_listing_is_offered() -> None:
    ours = {each["product"] for name in ("gcp", "2018") for each in named(name).packages}
    assert {record["product"] for record in listing_of_2018()} <= ours


def test_products_have_their_shares_of_the_listing() -> None:
    theirs = Counter(record["product"] for record in listing_of_2018())
    ours = Counter(record["product"] for record in default().packages)
    common = [product for product, count in theirs.items() if count >= 20]
    assert len(common) == 8
    for product in common:
        ratio = (ours[product] / ours.total()) / (theirs[product] / theirs.total())
        assert 1 / 4 <= ratio <= 4, (product, ratio)
    assert ours.most_common(2)[0][0] == theirs.most_common(2)[0][0] == "arnold-maya"
    assert {name for name, _ in theirs.most_common(3)} <= {name for name, _ in ours.most_common(4)}


def kinds(records: list[Record]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for record in records:
        for key, value in record.items():
            found.setdefault(key, set()).add(type(value).__name__)
    return found


def test_fields_have_the_types_of_the_listing() -> None:
    theirs, ours = kinds(listing_of_2018()), kinds(list(default().packages))
    assert ours == theirs


def test_variables_have_the_policies_of_the_listing() -> None:
    def policies(records: list[Record]) -> dict[tuple[str, str], str]:
        return {
            (record["product"], variable["name"]): variable["merge_policy"]
            for record in records
            for variable in record["environment"]
        }

    theirs, ours = policies(listing_of_2018()), policies(list(default().packages))
    both = set(theirs) & set(ours)
    assert len(both) > 100
    assert {key: ours[key] for key in both} == {key: theirs[key] for key in both}


# Ids

DOCUMENTED = {
    "7208372e306614d514944938c395e0e7": "maya-io 2016.SP0",
    "ae8026b7d9cfe524a77a3ebe94b9130a": "v-ray-maya 3.40.04.0 for 2016",
}
"""The two ids in the sample of the documented API (wire reference 12.20)."""

OF_THE_2019_CLIENT = {
    "358ec09e234da63c29d612b49a77fb58": "maya-io 2016.5.SP0",
    "40b7a0da3efc58046f95269d533fbbed": "maya-io 2017.SP5",
    "bcfe5df6e2361d77ca7d7b9da76e351b": "maya-io 2018.SP6",
    "732e688c522899625db1627adaa7cf3e": "maya-io 2019.SP0",
    "a655bc8351720034555d09d82d0af07c": "maya-io 2019.SP2",
    "0074771ed6622e6975a4770fa0cde004": "arnold-maya 1.2.7.1 for 2016",
    "54b987febe4cb6f180b2be8513e7ad6e": "arnold-maya 3.1.2.0 for 2016.5",
    "c5e6af0bf615750dcfe1fca17499369a": "arnold-maya 3.3.0.0 for 2017",
    "75267da8444add2de1a9ce615834e81a": "arnold-maya 2.0.1.0 for 2018",
    "1a41b8c8bdecad489219800b46413d6c": "arnold-maya 3.2.1.1 for 2019",
    "35829988af12bf70ac3f8c9be5b129ad": "v-ray-maya 3.40.03.0 for 2014",
    "b11fb9d577021918d0a9ea1a410c2486": "v-ray-maya 3.60.03.0 for 2016",
    "7e419f321332f8cc3c434ee2b68a70fe": "v-ray-maya 3.60.04.0 for 2016.5",
    "e58d3840447aa580e7129384db390365": "v-ray-maya 4.12.02.0 for 2019",
    "f13f1b5df9ec1130fe6d5723bc8fa151": "renderman-maya 21.7.1837774.0 for 2016",
    "61fb1e0d0ca32ab4cb7b709e651c7293": "renderman-maya 22.2.1903500.0 for 2017",
    "4f12cd8b807ceb35bccee7a833f6ab38": "renderman-maya 22.0.1873521.0 for 2018",
    "4e74cb32aeb1a318d258744b990f5335": "renderman-maya 22.6.1987952.0 for 2019",
    "f620fcf5c9e2bd7f0dc647b7bc3a180b": "yeti 2.0.26 for 2016",
    "a895c11331eeea402c4e79b204b021d0": "yeti 2.2.10 for 2017",
    "8020c42dbb67966a00e0ddf02cc2009e": "yeti 3.5.2 for 2019",
    "c3241305d1d44b48ad6b5849b5480566": "golaem 6.2.4 for 2016.5",
    "01255ad4bb83bc5369d162d3af5fdec2": "miarmy 5.3.11 for 2016",
    "c8467d09a1cf38e7940a0f87bd01d5da": "nuke 8.0.1",
    "11228b2423a9217e03e7e5709c8cf2da": "nuke 10.5.5",
    "1f146093b811f19ff071d06e93358e42": "nuke 11.3.5",
    "e1b35e649d384bd382b0d37054d6b6af": "houdini 16.5.268",
    "597593f11a8f46348489f18ec5bed45b": "arnold-houdini 2.0.2.3 for 16.0.736",
    "9294e24981d840f9bc1a086940d84708": "v-ray-houdini 3.60.01 for 16.5.323",
    "734632a2150b431f88dcedabc013f177": "yeti-houdini 2.2.5 for 16.5.323",
    "a42bbfff792c4759b46fa6c386a2bbf7": "renderman-houdini 21.6 for 16.5.323",
}
"""Some of each kind of those that its resources name."""


@pytest.mark.parametrize(("package_id", "name"), (DOCUMENTED | OF_THE_2019_CLIENT).items())
def test_an_id_that_programs_know_is_the_package_that_they_mean(package_id: str, name: str) -> None:
    record = default().package(package_id)
    assert record is not None
    host = record["plugin_host_version"]
    assert f"{record['product']} {display_version(record)}" + (f" for {host}" if host else "") == name


def test_every_id_that_the_resources_of_the_2019_client_name_is_there() -> None:
    text = (Path(__file__).parent / "package_ids_of_2019.txt").read_text(encoding="ascii")
    named_there = set(text.split())
    assert len(named_there) == 388
    assert {each[:8] for each in OF_THE_2019_CLIENT} <= named_there
    assert named_there <= {package["package_id"][:8] for package in default().packages}


def test_the_documented_ids_are_a_host_and_its_plug_in() -> None:
    host, plugin = (default().package(each) for each in DOCUMENTED)
    assert host is not None
    assert plugin is not None
    assert plugin["package_id"] in host["plugins"]
    assert plugin["plugin_hosts"] == [host["package_id"]]


# What programs look for (wire reference 12.17 and 12.19)

HOSTS = """
    maya-io 2024.SP2 linux|maya-io 2022.SP3 linux|maya-io 2018.SP0 linux|maya-io 2016.5.SP0 linux|nuke 10.5.5 linux
    deadline 10.1.1.3 linux|deadline 10.1.8.5 linux|deadline 10.1.12.1 linux|houdini 20.5.370.gcc9.3 linux
    cinema4d 24.111 linux|cinema4d 22.118.RB320081 linux|cinema4d 21.209.RB305619 linux
"""
ARNOLD_OF_3DS_MAX = {
    "2020.SP4": "4.1.1.1 4.2.0.0 4.2.1.0",
    "2022.SP0": "4.2.3.0 5.0.0.1 5.0.0.3 5.0.0.4 5.1.1.1",
    "2023.SP3": "5.2.1.1 5.2.2.3",
    "2024.SP1": "5.3.3.1",
}
REDSHIFT_OF_CINEMA_4D = "3.0.43 3.0.45 3.0.57 3.0.62 3.0.64"


def name_of(record: Mapping[str, Any]) -> str:
    return f"{record['product']} {display_version(record)} {record['platform']}"


def by_name(name: str) -> Record:
    (found,) = [
        record
        for record in default().packages
        if name_of(record) == name and not record["plugin_host_product"]
    ]
    return found


def plugins_of(name: str) -> list[str]:
    found = [default().package(each) for each in by_name(name)["plugins"]]
    return [name_of(record) for record in found if record is not None]


@pytest.mark.parametrize(
    "name", [name for line in HOSTS.split("\n") for name in line.strip().split("|") if name]
)
def test_a_host_that_programs_look_for_is_there(name: str) -> None:
    assert by_name(name)["plugin_hosts"] == []


@pytest.mark.parametrize(
    ("host", "version"),
    [(host, each) for host, all_of in ARNOLD_OF_3DS_MAX.items() for each in all_of.split()],
)
def test_the_arnold_that_3ds_max_asks_for_is_there(host: str, version: str) -> None:
    assert f"arnold-maya {version} linux" in plugins_of(f"maya-io {host} linux")


@pytest.mark.parametrize("host", ["24.111", "22.118.RB320081", "21.209.RB305619"])
@pytest.mark.parametrize("version", REDSHIFT_OF_CINEMA_4D.split())
def test_the_redshift_that_samples_for_cinema_4d_name_is_there(host: str, version: str) -> None:
    assert f"redshift-cinema4d {version} linux" in plugins_of(f"cinema4d {host} linux")


def test_the_hosts_and_machines_that_were_seen_live_are_there() -> None:
    (kohya,) = [record for record in default().packages if record["product"] == "kohya"]
    models = {name.split()[0] for name in plugins_of(name_of(kohya))}
    seen = ("sdxl1", "fluxdev", "fluxschnell", "sd35l", "sd35m", "sd3m")
    assert models == {f"{each}-kohya" for each in seen}
    machines = named("coreweave").machines
    assert {"cw-xeonv3-4", "cw-xeonv3-32", "cw-epycmilan-4-rtxa5000-1"} <= set(machines)
    assert machines["cw-xeonv3-32"].cores == 32


@pytest.mark.parametrize("product", ["nuke", "katana", "ocula", "cara-vr"])
def test_the_third_version_part_of_the_foundrys_products_is_a_whole_number(product: str) -> None:
    found = [record for record in default().packages if record["product"] == product]
    assert found
    for record in found:
        assert record["release_version"].isdigit()
        version = f"{record['major_version']}.{record['minor_version']}v{record['release_version']}"
        assert record["path"].rpartition("/")[2].startswith(f"{product}{version}")


def test_the_service_pack_of_maya_is_what_its_plug_in_makes_of_the_running_version() -> None:
    found = [record for record in default().packages if record["product"] == "maya-io"]
    assert all(re.fullmatch(r"SP[0-9]", record["minor_version"]) for record in found)
    assert all(re.fullmatch(r"20[0-9]{2}(\.5)?", record["major_version"]) for record in found)


def test_every_blender_that_is_offered_has_an_add_on() -> None:
    hosts = [record for record in default().packages if record["product"] == "blender"]
    assert hosts
    assert all(record["plugins"] for record in hosts)


def test_there_is_a_houdini_21_with_every_renderer() -> None:
    renderers = {name.split()[0] for name in plugins_of("houdini 21.0.440.gcc11.2 linux")}
    assert renderers == {f"{each}-houdini" for each in ("arnold", "redshift", "renderman", "v-ray")}


# Platforms


def platforms_of(product: str) -> set[str]:
    """What software and machines have in common, of which plug-ins take the first element (wire reference 12.18)."""
    machines = {record["operating_system"] for record in default().instance_types}
    software = {record["platform"] for record in default().packages if record["product"] == product}
    return software & machines


@pytest.mark.parametrize(
    ("product", "platform"),
    [
        *((product, "linux") for product in ("maya-io", "houdini", "blender")),
        *((product, "windows") for product in ("3dsmax-io", "unrealengine")),
    ],
)
def test_a_host_whose_plug_in_takes_the_first_platform_of_a_set_has_one(product: str, platform: str) -> None:
    assert platforms_of(product) == {platform}
    called = {release.known_as for release in all_releases() if release.name == product}
    theirs = {record["platform"] for record in default().packages if record["plugin_host_product"] in called}
    assert theirs <= {platform}


def test_unreal_finds_windows_machines_with_one_gpu() -> None:
    found = [
        record
        for record in default().instance_types
        if record["operating_system"] == "windows" and record["gpu"]
    ]
    assert any(record["gpu"]["gpu_count"] == 1 for record in found)
