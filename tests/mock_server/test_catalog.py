"""The shipped catalogue: what is in it, that it hangs together, and that it is the same everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from email.utils import parsedate_to_datetime
from itertools import pairwise, permutations
from typing import Any

import pytest

from conductor_mock.catalog import Catalog, CatalogError, Machine, default, named, validate
from conductor_mock.catalog.files import DIGESTS, NAMES
from conductor_mock.catalog.package_rules import VERSION_PARTS, display_version
from conductor_mock.farm.payload import read

Record = dict[str, Any]

QUICK_START = "7208372e306614d514944938c395e0e7"
OTHER_DOCUMENTED = "ae8026b7d9cfe524a77a3ebe94b9130a"
SHIPPED = ("gcp", "aws", "coreweave")
"""Those of today; beside them there is that of 2018."""


class Conflict(Exception):
    """Two packages set one variable to different values."""


def merge(*packages: Record) -> dict[str, str]:
    """The older clients' merging of environments (wire reference 5.1), with the `:` that they always use."""
    merged: dict[str, str] = {}
    for variable in (variable for package in packages for variable in package["environment"]):
        name, value, policy = variable["name"], variable["value"], variable["merge_policy"]
        if policy == "append":
            merged[name] = f"{merged[name]}:{value}" if merged.get(name) else value
        elif merged.setdefault(name, value) != value:
            raise Conflict(name)
    return merged


def of_product(product: str, platform: str = "linux") -> list[Record]:
    return [each for each in default().packages if (each["product"], each["platform"]) == (product, platform)]


def latest(product: str) -> Record:
    return of_product(product)[-1]


def plugins() -> list[Record]:
    return [package for package in default().packages if package["plugin_host_product"]]


def hosts_of(plugin: Record) -> list[Record]:
    return [host for host in map(default().package, plugin["plugin_hosts"]) if host is not None]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_catalog_has_no_problems_not_even_warnings(name: str) -> None:
    assert validate(named(name).to_document()) == []


def test_an_unknown_shipped_catalog_is_refused_with_the_closest_name() -> None:
    with pytest.raises(CatalogError, match="did you mean 'coreweave'"):
        named("coreweaver")


def test_the_catalog_is_as_large_and_as_uneven_as_the_real_one() -> None:
    shares = Counter(package["product"] for package in default().packages)
    assert 400 <= shares.total() <= 800
    assert shares["arnold-maya"] >= 50
    assert all(20 <= shares[host] <= 60 for host in ("maya-io", "houdini", "nuke"))
    assert sum(1 for count in shares.values() if count <= 10) >= len(shares) / 2


HOSTS = "maya-io houdini nuke katana clarisse cinema4d blender v-ray-standalone renderman-standalone"
FIELDS = """
    package_id product platform major_version minor_version release_version build_version plugin_host_product
    plugin_host_version plugin_hosts plugins environment relative_path path package vendor description build_id
    time_created time_updated updated_at
"""


@pytest.mark.parametrize("product", HOSTS.split())
def test_the_usual_hosts_are_there_for_linux(product: str) -> None:
    assert of_product(product)
    assert all(package["plugin_host_product"] == "" for package in of_product(product))


@pytest.mark.parametrize("product", ["3dsmax-io", "unrealengine"])
def test_windows_applications_are_for_windows_only(product: str) -> None:
    assert of_product(product, "windows")
    assert not of_product(product, "linux")


def test_blender_is_offered_in_versions_that_its_plug_in_shows() -> None:
    majors = {package["major_version"] for package in of_product("blender")}
    assert majors == {"3", "4"}
    assert all(
        re.fullmatch(r"[a-z]+(_[a-z]+)*-blender", plugin["product"]) for plugin in plugins_of("blender")
    )


def plugins_of(host: str) -> list[Record]:
    found = [plugin for plugin in plugins() if plugin["plugin_host_product"] == host]
    assert found
    return found


def test_version_parts_are_text_and_some_have_letters() -> None:
    parts = {package[part] for package in default().packages for part in VERSION_PARTS}
    assert {"SP2", "sp5", "RB330286", "glibc217", "gcc9.3", "2016.5", ""} <= parts
    assert all(isinstance(part, str) for part in parts)
    assert all(package["major_version"] for package in default().packages)


def test_ids_folders_and_display_names_tell_packages_apart() -> None:
    packages = default().packages
    for key in ("package_id", "relative_path", "path"):
        assert len({package[key] for package in packages}) == len(packages)
    shown = {
        (each["product"], display_version(each), each["platform"], each["plugin_host_version"])
        for each in packages
    }
    assert len(shown) == len(packages)
    assert all(re.fullmatch(r"[0-9a-f]{32}", package["package_id"]) for package in packages)


def test_every_package_has_exactly_the_fields_of_the_wire() -> None:
    assert {frozenset(package) for package in default().packages} == {frozenset(FIELDS.split())}


def test_a_package_lies_below_the_software_root_in_its_vendors_folder() -> None:
    for package in default().packages:
        root = "/opt/" if package["platform"] == "linux" else "C:/opt/"
        vendor, product, major, _folder = package["relative_path"].split("/")
        assert package["path"] == root + package["relative_path"]
        assert (vendor, product, major) == (package["vendor"], package["product"], package["major_version"])


def test_times_are_rfc_1123_text_and_run_forwards() -> None:
    for package in default().packages:
        created, updated = (parsedate_to_datetime(package[key]) for key in ("time_created", "time_updated"))
        assert created <= updated
        assert package["updated_at"] == package["time_updated"]
        assert re.fullmatch(
            r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", package["time_created"]
        )


@pytest.mark.parametrize("product", HOSTS.split())
def test_a_newer_version_is_dated_later(product: str) -> None:
    dates = [parsedate_to_datetime(package["time_created"]) for package in of_product(product)]
    assert len(dates) > 1
    assert all(older < newer for older, newer in pairwise(dates))


def test_plugins_and_hosts_name_each_other() -> None:
    for package in default().packages:
        for key, reverse in (("plugins", "plugin_hosts"), ("plugin_hosts", "plugins")):
            assert len(set(package[key])) == len(package[key])
            for other_id in package[key]:
                other = default().package(other_id)
                assert other is not None
                assert package["package_id"] in other[reverse]


def leading_number(text: str) -> str:
    """Maya alone has half years for a major version."""
    found = re.match(r"20[0-9]{2}\.5|[0-9]+", text)
    assert found
    return found[0]


@pytest.mark.parametrize("name", ["gcp", "2018"])
def test_a_plugin_goes_with_every_host_of_its_platform_and_major_version(name: str) -> None:
    # Wire reference 12.7; what plug-ins call their host is found from those that they are linked to.
    catalog = named(name)
    found = [package for package in catalog.packages if package["plugin_host_product"]]
    called: dict[str, set[str]] = {}
    for plugin in found:
        hosts = [catalog.package(host) for host in plugin["plugin_hosts"]]
        called.setdefault(plugin["plugin_host_product"], set()).update(
            host["product"] for host in hosts if host is not None
        )
    assert called["maya"] == {"maya-io"}
    assert called.get("arnold") in (None, {"arnold-houdini", "arnold-clarisse"})
    for plugin in found:
        fitting = [
            package["package_id"]
            for package in catalog.packages
            if package["product"] in called[plugin["plugin_host_product"]]
            and package["platform"] == plugin["platform"]
            and package["major_version"] == leading_number(plugin["plugin_host_version"])
        ]
        assert plugin["plugin_hosts"] == fitting, plugin["package"]


def test_one_plugin_record_serves_all_service_packs() -> None:
    (plugin,) = [
        each
        for each in of_product("arnold-maya")
        if (display_version(each), each["plugin_host_version"]) == ("3.3.0.0", "2018")
    ]
    assert [display_version(host) for host in hosts_of(plugin)] == [f"2018.SP{number}" for number in range(7)]


def test_a_plugin_without_a_host_is_the_one_that_the_2019_client_names_by_mistake() -> None:
    lonely = [plugin for plugin in plugins() if not plugin["plugin_hosts"]]
    assert [(each["product"], each["plugin_host_version"]) for each in lonely] == [("v-ray-maya", "2014")]


def on_a_third_level(catalog: Catalog) -> set[tuple[str, str, str]]:
    """The products of all chains of a host, its plug-in and that one's plug-in."""
    by_id = {package["package_id"]: package for package in catalog.packages}
    return {
        (host["product"], by_id[plugin]["product"], by_id[third]["product"])
        for host in catalog.packages
        for plugin in host["plugins"]
        for third in by_id[plugin]["plugins"]
    }


def test_the_catalog_of_2018_has_three_levels_where_the_listing_has_three() -> None:
    assert on_a_third_level(named("2018")) == {
        ("houdini", "arnold-houdini", "al-shaders"),
        ("clarisse", "arnold-clarisse", "al-shaders"),
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_the_catalogs_of_today_have_two_levels(name: str) -> None:
    # The supported_plugins() of ciocore raises ValueError for a host with three (wire reference 2.1), and
    # `conductor packages` asks it for every host there is.
    assert on_a_third_level(named(name)) == set()


def test_the_catalog_of_2018_is_what_rests_on_the_listing() -> None:
    old, today = named("2018"), {package["package_id"]: package for package in default().packages}
    assert 250 < len(old.packages) < len(today)
    assert {package["product"] for package in old.packages if package["package_id"] not in today} == {
        "al-shaders"
    }
    assert {package["platform"] for package in old.packages} == {"linux"}
    assert {record["operating_system"] for record in old.instance_types} == {"linux"}


def test_a_version_of_a_plugin_is_in_the_menu_of_a_host_once() -> None:
    for host in default().packages:
        below = [default().package(each) for each in host["plugins"]]
        shown = [(each["product"], display_version(each)) for each in below if each is not None]
        assert len(set(shown)) == len(shown), host["package"]


def test_one_plugin_version_exists_once_for_each_host_version() -> None:
    same = [plugin for plugin in of_product("arnold-maya") if display_version(plugin) == "2.1.0.2"]
    assert [plugin["plugin_host_version"] for plugin in same] == ["2016", "2016.5", "2017", "2018"]


def test_the_documented_host_and_its_plug_in_merge() -> None:
    host, plugin = default().package(QUICK_START), default().package(OTHER_DOCUMENTED)
    assert host is not None
    assert plugin is not None
    merged = merge(host, plugin)
    assert merged == merge(host) | merge(plugin) | {
        name: f"{merge(host)[name]}:{merge(plugin)[name]}" for name in merge(host) if name in merge(plugin)
    }


def test_a_variable_has_one_merge_policy_wherever_it_occurs() -> None:
    # Clients since 5.0.1 raise where one package joins a variable that another one has exclusively.
    policies: dict[str, set[str]] = {}
    for package in default().packages:
        for variable in package["environment"]:
            policies.setdefault(variable["name"], set()).add(variable["merge_policy"])
    assert {name: found for name, found in policies.items() if len(found) > 1} == {}
    assert set().union(*policies.values()) == {"append", "exclusive"}


def test_every_plugin_merges_with_its_hosts_and_theirs() -> None:
    for plugin in plugins():
        for host in hosts_of(plugin):
            merged = merge(*hosts_of(host)[:1], host, plugin)
            assert {variable["name"] for variable in plugin["environment"]} <= set(merged)


def test_no_variable_of_the_account_meets_one_of_a_package() -> None:
    ours = {variable["name"] for variable in default().env_vars}
    theirs = {variable["name"] for package in default().packages for variable in package["environment"]}
    assert ours
    assert not ours & theirs


@pytest.mark.parametrize(
    ("first", "second", "variable"),
    [
        ("nuke", "cara-vr", "foundry_LICENSE"),
        ("cara-vr", "ocula", "foundry_LICENSE"),
        ("v-ray-maya", "v-ray-standalone", "VRAY_AUTH_CLIENT_FILE_PATH"),
        ("v-ray-katana", "v-ray-standalone", "VRAY_AUTH_CLIENT_FILE_PATH"),
        ("arnold-maya", "arnold-katana", "solidangle_LICENSE"),
        ("renderman-maya", "renderman-standalone", "RMANTREE"),
    ],
)
def test_packages_with_the_same_exclusive_value_merge(first: str, second: str, variable: str) -> None:
    pair = [latest(first), latest(second)]
    policies = [
        each["merge_policy"]
        for package in pair
        for each in package["environment"]
        if each["name"] == variable
    ]
    assert policies == ["exclusive", "exclusive"]
    assert merge(*pair)[variable] == merge(pair[0])[variable]


@pytest.mark.parametrize(
    ("first", "second", "variable"),
    [
        ("yeti", "bokeh", "peregrinel_LICENSE"),
    ],
)
def test_packages_with_different_exclusive_values_conflict(first: str, second: str, variable: str) -> None:
    for pair in permutations([latest(first), latest(second)]):
        with pytest.raises(Conflict, match=variable):
            merge(*pair)


@pytest.mark.parametrize(
    ("product", "variable"),
    [
        ("maya-io", "MAYA_LOCATION"),
        ("houdini", "HFS"),
        ("yeti", "YETI_HOME"),
        ("renderman-standalone", "RMANTREE"),
    ],
)
def test_two_versions_of_one_product_conflict(product: str, variable: str) -> None:
    older, newer = (
        {**package, "environment": [each for each in package["environment"] if each["name"] == variable]}
        for package in (of_product(product)[0], latest(product))
    )
    with pytest.raises(Conflict, match=variable):
        merge(older, newer)


def test_some_packages_have_no_environment_and_some_values_hold_several_folders() -> None:
    environments = [package["environment"] for package in default().packages]
    assert [] in environments
    assert merge(latest("maya-io"))["LD_LIBRARY_PATH"].count(":") == 2


def test_windows_values_are_written_for_windows() -> None:
    for package in default().packages:
        if package["platform"] == "windows":
            values = {each["name"]: each["value"] for each in package["environment"]}
            assert "LD_LIBRARY_PATH" not in values
            assert values["PATH" if "PATH" in values else "MAYA_MODULE_PATH"].startswith("C:/")
            assert not any("/opt" in value.replace("C:/opt", "") for value in values.values())


def test_variables_that_carry_the_host_year_carry_the_right_one() -> None:
    for plugin in of_product("v-ray-maya"):
        year = plugin["plugin_host_version"].replace(".", "_")
        assert f"VRAY_FOR_MAYA{year}_MAIN_x64" in merge(plugin)


def test_the_default_machines_are_named_as_the_facts_say() -> None:
    names = {record["name"] for record in default().instance_types}
    sized = {
        "n1-standard-{}": (1, 2, 4, 8, 16, 32, 64, 96),
        "n1-highmem-{}": (2, 4, 8, 16, 32, 64, 96),
        "n1-highcpu-{}": (2, 4, 8, 16, 32, 64, 96),
        "n1-ultramem-{}": (40, 80, 160),
        "n1-standard-{}-t4-1": (4, 8, 16),
        "n1-standard-{}-v100-1": (4, 16),
        "n1-standard-{}-v100-8": (64, 96),
    }
    single = "n2-standard-16 n2-highmem-80 n1-standard-32-t4-2 n1-standard-64-t4-4 n1-standard-24-v100-2"
    wanted = {name.format(size) for name, sizes in sized.items() for size in sizes}
    assert wanted | {*single.split(), "n1-standard-24-v100-4", "n1-standard-48-v100-4"} <= names
    assert len(names) >= 40


@pytest.mark.parametrize("name", SHIPPED)
def test_every_machine_has_a_category_and_every_family_of_machines_is_there(name: str) -> None:
    records = named(name).instance_types
    assert all(record["categories"] for record in records)
    assert {bool(record["gpu"]) for record in records} == {True, False}
    assert {record["operating_system"] for record in records} == {"linux", "windows"}
    assert {type(record["memory"]) for record in records} == {str}
    for record in records:
        assert (record["operating_system"] == "windows") == record["name"].endswith("-w")


def test_clients_guess_the_provider_from_every_name_of_a_catalog() -> None:
    assert all(record["name"].startswith("cw-") for record in named("coreweave").instance_types)
    assert all("." in record["name"] for record in named("aws").instance_types)
    for record in default().instance_types:
        assert "." not in record["name"]
        assert not record["name"].startswith("cw-")


def test_a_gpu_says_everything_for_one_and_for_all() -> None:
    record = next(each for each in default().instance_types if each["name"] == "n1-standard-24-v100-2")
    gpu = record["gpu"]
    assert (gpu["gpu_count"], gpu["gpu_cuda_cores"], gpu["gpu_memory"]) == (2, 5120, "16")
    assert (gpu["total_gpu_cuda_cores"], gpu["total_gpu_memory"]) == (10240, "32")
    wanted = {"architecture", "count", "cuda_cores", "memory", "model", "rt_cores", "tensor_cores"}
    totals = {"cuda_cores", "memory", "rt_cores", "tensor_cores"}
    assert set(gpu) == {f"gpu_{key}" for key in wanted} | {f"total_gpu_{key}" for key in totals}


def test_memory_follows_the_provider_and_is_plain_decimal_text() -> None:
    memory = {record["name"]: record["memory"] for record in default().instance_types}
    names = (
        "n1-standard-2",
        "n1-standard-8",
        "n1-highcpu-2",
        "n1-highmem-96",
        "n2-highmem-80",
        "n1-ultramem-40",
    )
    assert [memory[name] for name in names] == ["7.5", "30", "1.8", "624", "640", "961"]


def test_a_machine_costs_more_the_more_it_has() -> None:
    def price(name: str) -> int:
        machine = default().machine(name)
        assert machine is not None
        assert machine.preemptible_micro_usd_per_hour < machine.price_micro_usd_per_hour
        return machine.price_micro_usd_per_hour

    assert price("n1-highcpu-8") < price("n1-standard-8") < price("n1-highmem-8") < price("n1-highmem-16")
    assert price("n1-standard-8") < price("n1-standard-8-t4-1") < price("n1-standard-8-t4-1-w")
    assert price("n1-standard-4-t4-1") < price("n1-standard-4-v100-1")
    assert price("n1-standard-8") < price("n1-standard-8-w")


def test_a_machine_is_as_fast_as_its_cores_and_gpus() -> None:
    machines = default().machines
    assert machines["n1-standard-8"].speed == machines["n1-highmem-8"].speed == 100
    assert machines["n1-standard-1"].speed == 12
    assert machines["n1-standard-96"].speed == 1200
    assert machines["n1-standard-8-t4-1"].speed == 300


def test_there_is_one_machine_for_each_instance_type_without_floats() -> None:
    catalog = default()
    assert list(catalog.machines) == [record["name"] for record in catalog.instance_types]
    kinds = {type(value) for machine in catalog.machines.values() for value in vars(machine).values()}
    assert kinds == {str, int}
    assert all(isinstance(price, int) for price in catalog.licenses.values())
    assert set(catalog.licenses) == {package["product"] for package in catalog.packages}


def test_lookups_find_by_name_and_answer_none_for_strangers() -> None:
    catalog = default()
    assert catalog.project("default") == catalog.projects[0]
    assert catalog.project("Spiderman") is None
    assert catalog.package("0" * 32) is None
    assert catalog.machine("m5.4xlarge") is None
    assert catalog.license("arnold-maya") == 150_000
    assert catalog.license("acme-render") == 0


@pytest.mark.parametrize(
    ("flavor", "cores"), [("standard", 2), ("highmem", 96), ("highcpu", 16), ("ultramem", 40)]
)
def test_flavor_and_cores_name_a_machine(flavor: str, cores: int) -> None:
    machine = default().machine(read({"machine_flavor": flavor, "cores": cores}).instance_type)
    assert machine is not None
    assert (machine.name, machine.cores) == (f"n1-{flavor}-{cores}", cores)


def test_projects_are_active_but_for_the_archive() -> None:
    status = {project["name"]: project["status"] for project in default().projects}
    assert status == {"default": "active", "demo": "active", "training": "active", "archive": "inactive"}


def test_the_alternatives_differ_in_their_machines_only() -> None:
    for name in ("aws", "coreweave"):
        catalog = named(name)
        assert (catalog.packages, catalog.projects) == (default().packages, default().projects)
        assert not set(catalog.machines) & set(default().machines)


@pytest.mark.parametrize("name", NAMES)
def test_a_catalog_comes_back_from_its_json(name: str) -> None:
    catalog = named(name)
    again = Catalog.from_json(catalog.to_json())
    assert again == catalog
    assert again.sha256 == catalog.sha256


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"packages": 1}'])
def test_text_that_no_catalog_wrote_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match="to_json"):
        Catalog.from_json(text)


def small_catalog() -> Catalog:
    return Catalog(
        packages=({"product": "maya-io", "package_id": "1", "vendor": "größe"},),
        projects=({"name": "default", "id": "7", "status": "active"},),
        instance_types=(),
        env_vars=({"name": "TZ", "value": "UTC", "merge_policy": "exclusive"},),
        machines={"n1-standard-8": Machine("n1-standard-8", 8, 379_998, 113_999, 100)},
        licenses={"maya-io": 0},
    )


CANONICAL = (
    '{"env_vars_configs":[{"merge_policy":"exclusive","name":"TZ","value":"UTC"}],"instance_types":[],'
    '"licences":{"maya-io":0},"machines":{"n1-standard-8":{"preemptible_usd_per_hour":113999,'
    '"price_usd_per_hour":379998,"speed":100}},"packages":[{"package_id":"1","product":"maya-io",'
    '"vendor":"gr\\u00f6\\u00dfe"}],"projects":[{"id":"7","name":"default","status":"active"}]}'
)


def test_the_canonical_form_never_changes() -> None:
    # Logs refer to catalogues by this digest: a change of the form orphans them.
    assert small_catalog().to_json() == CANONICAL
    assert small_catalog().sha256 == "3fd4c8fdfdfc6e572eb521e74b218515bbd3ab4f591e3a53d8b8cbcf95b8a323"


def test_the_shipped_catalog_changes_only_on_purpose() -> None:
    # When the table changes, put the new digest here; recorded logs keep the catalogue that they were made with.
    assert default().sha256 == "30215e15889d7960df3d4b187482b2d07874b411477aa6f4aa17344cc7430ecb"


@pytest.mark.parametrize("name", NAMES)
def test_the_digest_of_a_shipped_catalogue_that_is_known_before_it_is_made_is_its_own(name: str) -> None:
    assert DIGESTS[name] == named(name).sha256


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    document = default().to_document()
    turned = dict(reversed(document.items()))
    turned["packages"] = [dict(reversed(package.items())) for package in document["packages"]]
    assert Catalog.from_document(turned).sha256 == default().sha256


def test_another_process_makes_the_same_catalog() -> None:
    code = "from conductor_mock.catalog import default; print(default().sha256)"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Pacific/Auckland", "LC_ALL": "C"}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == default().sha256
