"""What submission tools build from the catalogue.

These are the modules `data`, `package_tree`, `package_environment` and `hardware_set` of 9.2.0.
"""

from __future__ import annotations

from typing import Any

from conductor_mock.catalog import named
from vendor.scenarios import after, scenario
from vendor.workstation import Workstation

Json = dict[str, Any]


def name_of(package: Json) -> str:
    """The display name of a package (wire reference 2.1, tree semantics), worked out here from the raw record."""
    keys = ("major_version", "minor_version", "release_version", "build_version")
    version = ".".join(package[key] for key in keys if package[key])
    return " ".join(part for part in (package["product"], version, package["platform"]) if part)


@scenario()
def building_menus(desk: Workstation) -> Json:
    return dict(desk.drive("catalogue", "maya-io"))


@scenario()
def building_menus_on_aws(desk: Workstation) -> Json:
    return menus_of(desk, "aws")


@scenario()
def building_menus_on_coreweave(desk: Workstation) -> Json:
    return menus_of(desk, "coreweave")


def menus_of(desk: Workstation, provider: str) -> Json:
    """The machines of another shipped catalogue, given to this account while the server runs."""
    before = desk.drive("machines")
    desk.account.control("PUT", "catalog", body=named(provider).to_document())
    return {**desk.drive("machines"), "before": before["names"]}


@after(building_menus)
def test_data_is_valid_once_it_was_fetched(result: Json) -> None:
    data = result["data"]
    assert data["not_initialised"]["raised"] == "ValueError"
    assert [data["valid_before"], data["valid"], data["valid_after_clear"]] == [False, True, False]
    assert data["keys"] == ["extra_environment", "instance_types", "projects", "software"]
    assert data["same_again"] is True


@after(building_menus)
def test_data_offers_projects_and_machines_of_the_platforms_that_have_software(result: Json) -> None:
    data = result["data"]
    assert "default" in data["projects"]
    assert data["products"] == ["maya-io"]
    assert data["platforms"] == ["linux"]
    wanted = [record["name"] for record in result["records"] if record["operating_system"] == "linux"]
    assert data["machines"] == sorted(wanted) != sorted(record["name"] for record in result["records"])


@after(building_menus)
def test_a_filter_narrows_the_machines_of_data(result: Json) -> None:
    wanted = [
        record["name"]
        for record in result["records"]
        if record["cores"] >= 16 and record["operating_system"] == "linux"
    ]
    assert result["data"]["machines_chosen"] == sorted(wanted) != []


@after(building_menus)
def test_the_hosts_of_a_product_are_its_packages(result: Json) -> None:
    wanted = {name_of(package) for package in result["packages"] if package["product"] == "maya-io"}
    assert set(result["tree"]["hosts"]) == set(result["data"]["hosts"]) == wanted != set()
    assert all(len(name.split()) == 3 for name in wanted)


@after(building_menus)
def test_without_a_product_every_host_is_offered(result: Json) -> None:
    wanted = {name_of(package) for package in result["packages"] if not package["plugin_host_product"]}
    assert set(result["data"]["all_hosts"]) == wanted


@after(building_menus)
def test_a_host_lists_the_plugins_that_its_package_names(result: Json) -> None:
    by_id = {package["package_id"]: package for package in result["packages"]}
    hosts = {name_of(package): package for package in result["packages"] if package["product"] == "maya-io"}
    for name, plugins in result["tree"]["plugins_by_host"].items():
        offered = {
            f"{entry['plugin']} {version} {name.split()[2]}"
            for entry in plugins
            for version in entry["versions"]
        }
        assert offered == {name_of(by_id[plugin]) for plugin in hosts[name]["plugins"]}


@after(building_menus)
def test_packages_are_found_by_name_and_by_path(result: Json) -> None:
    tree = result["tree"]
    assert tree["name_of_it"] == tree["host"]
    assert tree["by_name"] in {package["package_id"] for package in result["packages"]}
    assert tree["by_path"] in {entry["plugin"] for entry in tree["plugins"]}
    assert tree["not_there"] is None
    assert {f"{tree['host']}/{below}" for below in tree["paths_below"]} < set(tree["paths"])


@after(building_menus)
def test_a_tree_knows_its_platforms(result: Json) -> None:
    tree = result["tree"]
    assert (tree["platforms"], tree["windows"]) == (["linux"], [])
    assert tree["nonsense"]["raised"] == "KeyError"
    assert tree["as_text"] == len(tree["hosts"])
    assert tree["as_dict"] == ["children"]


@after(building_menus)
def test_a_plugin_product_can_be_listed_alone(result: Json) -> None:
    wanted = [name_of(package) for package in result["packages"] if package["product"] == "arnold-maya"]
    assert sorted(result["tree"]["one_plugin_product"]) == sorted(wanted) != []


@after(building_menus)
def test_every_packages_environment_can_be_used(result: Json) -> None:
    assert result["environments"]["unmergeable"] == {}


@after(building_menus)
def test_host_plugin_and_own_variables_merge_by_their_policies(result: Json) -> None:
    environments = result["environments"]
    merged = environments["merged"]
    for variable in environments["host"] + environments["plugin"]:
        if variable["merge_policy"] == "exclusive":
            assert merged[variable["name"]] == variable["value"]
        else:
            assert variable["value"] in merged[variable["name"]]
    assert merged["PATH"] == environments["path"]
    assert merged["PATH"].startswith("/first:/opt/")
    assert merged["PATH"].endswith(":/my/tools")
    assert merged["MY_LICENSE"] == "2@there"


@after(building_menus)
def test_policies_and_platforms_that_clash_are_errors(result: Json) -> None:
    assert result["environments"]["clash"]["raised"] == "ValueError"
    assert result["environments"]["other_platform"]["raised"] == "ValueError"


@after(building_menus)
def test_machines_are_found_by_name_category_and_condition(result: Json) -> None:
    hardware = result["hardware"]
    records = {record["name"]: record for record in result["records"]}
    assert hardware["names"] == sorted(records)
    assert hardware["found"]["cores"] == hardware["in_category"]["cores"] == 8
    assert hardware["not_found"] is None
    assert hardware["with_gpu"] == sorted(name for name, record in records.items() if record["gpu"])
    assert hardware["first_large"]["cores"] >= 32
    assert hardware["flat"]["gpu_count"] == 1


@after(building_menus)
def test_machines_are_shown_in_the_categories_that_their_records_name(result: Json) -> None:
    hardware = result["hardware"]
    categories = {category["label"] for record in result["records"] for category in record["categories"]}
    assert set(hardware["labels"]) == categories
    assert hardware["categories"] == len(categories)
    shown = [item["value"] for category in hardware["model"] for item in category["content"]]
    assert sorted(shown) == hardware["names"]
    assert set(hardware["category"]) < set(shown)
    assert len(hardware["with_misc"]) >= len(hardware["model"])
    assert hardware["labels_by_size"] == ["big", "small"]


@after(building_menus_on_aws, building_menus_on_coreweave)
def test_the_catalogs_of_other_providers_make_menus_too(result: Json) -> None:
    assert result["valid"] is True
    assert result["shown"] == sorted(result["names"]) != []
    assert not set(result["names"]) & set(result["before"])


@after(building_menus_on_aws)
def test_machines_of_aws_have_a_dot_in_their_names(result: Json) -> None:
    assert all("." in name for name in result["names"])


@after(building_menus_on_coreweave)
def test_machines_of_coreweave_begin_with_cw(result: Json) -> None:
    assert all(name.startswith("cw-") for name in result["names"])
