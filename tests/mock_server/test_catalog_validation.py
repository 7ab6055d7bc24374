"""Each thing that is known to break a client is found in a document, at its place, and told from what only warns."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.catalog import Catalog, Finding, default, named, validate

Record = dict[str, Any]

HOST = "a" * 32
PLUGIN = "b" * 32
OTHER = "c" * 32


def package(package_id: str, product: str, **fields: object) -> Record:
    return {
        "package_id": package_id,
        "product": product,
        "platform": "linux",
        "major_version": "4",
        "minor_version": "2",
        "release_version": "",
        "build_version": "",
        "plugin_host_product": "",
        "plugin_host_version": "",
        "plugin_hosts": [],
        "plugins": [],
        "environment": [{"name": "PATH", "value": "/opt/acme/bin", "merge_policy": "append"}],
        "relative_path": f"acme/{product}/4.2",
        "path": f"/opt/acme/{product}/4.2",
        **fields,
    }


def machine(name: str, **fields: object) -> Record:
    return {
        "name": name,
        "description": name,
        "cores": 8,
        "memory": "30",
        "operating_system": "linux",
        "gpu": None,
        "categories": [{"label": "CPU", "order": 1}],
        **fields,
    }


def document() -> Record:
    """A small catalogue document without any problem: a host, its plugin, two projects and two machines."""
    plugin = {"plugin_host_product": "acme", "plugin_host_version": "4.2", "plugin_hosts": [HOST]}
    gpu = {"gpu_count": 1, "gpu_model": "NVIDIA T4", "gpu_memory": "16"}
    return {
        "packages": [
            package(HOST, "acme", plugins=[PLUGIN]),
            package(PLUGIN, "fur-acme", **plugin),
            package(OTHER, "other"),
        ],
        "projects": [
            {"id": "1", "name": "default", "status": "active"},
            {"id": "2", "name": "old", "status": "inactive"},
        ],
        "instance_types": [machine("n1-standard-8"), machine("n1-standard-16", cores=16, gpu=gpu)],
        "env_vars_configs": [{"name": "TZ", "value": "UTC", "merge_policy": "exclusive"}],
        "machines": {"n1-standard-8": {"price_usd_per_hour": 380_000, "speed": 100}},
        "licences": {"acme": 150_000},
    }


def set_at(target: Any, path: str, value: object) -> Any:
    """A copy of the document with the value put in at a JSON pointer."""
    changed = copy.deepcopy(target)
    *steps, last = path.strip("/").split("/")
    inner = changed
    for step in steps:
        inner = inner[int(step) if isinstance(inner, list) else step]
    inner[int(last) if isinstance(inner, list) else last] = value
    return changed


def without(target: Any, path: str) -> Any:
    """A copy of the document with what is at a JSON pointer taken out."""
    parent, _, last = path.rpartition("/")
    inner: Any = target
    for step in parent.strip("/").split("/"):
        inner = inner[int(step) if isinstance(inner, list) else step]
    return set_at(target, parent, {key: value for key, value in inner.items() if key != last})


def errors(target: object) -> list[Finding]:
    return [problem for problem in validate(target) if problem.is_error]


def warnings(target: object) -> list[Finding]:
    return [problem for problem in validate(target) if not problem.is_error]


def assert_only_error(target: object, path: str, *words: str) -> None:
    found = errors(target)
    assert [problem.path for problem in found] == [path]
    assert all(word in found[0].message for word in words), found[0].message


def assert_only_warning(target: object, path: str, *words: str) -> None:
    assert errors(target) == []
    found = warnings(target)
    assert [problem.path for problem in found] == [path]
    assert all(word in found[0].message for word in words), found[0].message


def test_the_small_document_is_fine() -> None:
    assert validate(document()) == []


def test_a_problem_shows_its_place_and_its_message() -> None:
    assert str(Finding("/packages/3/platform", "is missing")) == "/packages/3/platform: is missing"
    assert str(Finding("", "is empty")) == "the document: is empty"


# The outline


@pytest.mark.parametrize("nonsense", [None, [], "text", 7])
def test_a_document_that_is_no_object_is_an_error(nonsense: object) -> None:
    assert_only_error(nonsense, "", "packages, projects, instance_types, env_vars_configs")


def test_a_misspelt_part_is_an_error_that_names_the_closest_one() -> None:
    assert_only_error({**document(), "instance_type": []}, "/instance_type", "'instance_types'")


@pytest.mark.parametrize("key", ["packages", "projects", "instance_types", "env_vars_configs"])
def test_a_part_that_is_missing_or_null_is_an_error(key: str) -> None:
    assert_only_error(
        {name: value for name, value in document().items() if name != key}, f"/{key}", "missing"
    )
    assert_only_error({**document(), key: None}, f"/{key}", "list of objects")
    assert_only_error({**document(), key: ["text"]}, f"/{key}/0", "object")


def test_what_json_cannot_say_is_an_error_at_its_place() -> None:
    assert_only_error(set_at(document(), "/packages/0/vendor", {1, 2}), "/packages/0/vendor", "text")
    assert_only_error(
        set_at(document(), "/instance_types/0/cores", float("nan")), "/instance_types/0/cores", "nan"
    )
    assert_only_error(set_at(document(), "/packages/0/extra", {2018: "x"}), "/packages/0/extra/2018", "key")


def test_a_document_that_contains_itself_is_an_error() -> None:
    endless = document()
    endless["packages"][0]["extra"] = endless
    assert_only_error(endless, "", "contains itself")


# Packages: trap 16 and what stands around it


def test_a_package_without_platform_is_an_error() -> None:
    assert_only_error(without(document(), "/packages/2/platform"), "/packages/2/platform", "KeyError")


def test_a_package_for_an_unknown_platform_is_a_warning() -> None:
    assert_only_warning(set_at(document(), "/packages/2/platform", "irix"), "/packages/2/platform", "drop")


@pytest.mark.parametrize("part", ["major_version", "minor_version", "release_version", "build_version"])
def test_a_version_part_that_is_a_number_is_an_error(part: str) -> None:
    assert_only_error(set_at(document(), f"/packages/0/{part}", 2018), f"/packages/0/{part}", "quotes")


@pytest.mark.parametrize("part", ["major_version", "minor_version", "release_version", "build_version"])
def test_a_version_part_that_is_missing_is_an_error_and_null_is_none(part: str) -> None:
    assert_only_error(without(document(), f"/packages/0/{part}"), f"/packages/0/{part}", "KeyError")
    assert errors(set_at(document(), f"/packages/0/{part}", None)) == []


@pytest.mark.parametrize("key", ["product", "major_version", "package_id"])
def test_a_space_in_a_name_or_version_is_an_error(key: str) -> None:
    for space in (" ", "\t", "\u00a0", "\n"):
        value = f"two{space}words"
        assert_only_error(set_at(document(), f"/packages/2/{key}", value), f"/packages/2/{key}", "space")


@pytest.mark.parametrize("key", ["product", "package_id"])
def test_a_package_without_product_or_id_is_an_error(key: str) -> None:
    assert_only_error(without(document(), f"/packages/2/{key}"), f"/packages/2/{key}")
    assert_only_error(set_at(document(), f"/packages/2/{key}", ""), f"/packages/2/{key}")


def test_a_plugin_without_a_version_is_an_error_and_a_host_a_warning() -> None:
    none = {"major_version": "", "minor_version": ""}
    plugin = set_at(document(), "/packages/1", {**document()["packages"][1], **none})
    assert_only_error(plugin, "/packages/1", "version")
    host = set_at(document(), "/packages/2", {**document()["packages"][2], **none})
    assert_only_warning(host, "/packages/2", "version")


def test_plugins_in_a_circle_are_an_error() -> None:
    circle = set_at(document(), "/packages/1/plugins", [HOST])
    circle = set_at(circle, "/packages/0/plugin_hosts", [PLUGIN])
    found = errors(circle)
    assert [problem.path for problem in found] == ["/packages/0/plugins", "/packages/1/plugins"]
    assert all("RecursionError" in problem.message for problem in found)


def test_a_package_that_is_its_own_plugin_is_an_error() -> None:
    own = set_at(document(), "/packages/2/plugins", [OTHER])
    assert_only_error(
        set_at(own, "/packages/2/plugin_hosts", [OTHER]), "/packages/2/plugins", "RecursionError"
    )


def test_a_long_circle_is_found_without_recursion() -> None:
    length = sys.getrecursionlimit() + 200
    ring = [
        package(f"{index:032x}", f"p{index}", plugins=[f"{(index + 1) % length:032x}"], plugin_hosts=[])
        for index in range(length)
    ]
    ring[5]["plugins"] = []
    chain = errors({**document(), "packages": ring, "licences": {}})
    assert not any("RecursionError" in problem.message for problem in chain)
    small = ring[6:9]
    small[2]["plugins"] = [small[0]["package_id"]]
    looping = errors({**document(), "packages": small, "licences": {}})
    assert ["RecursionError" in problem.message for problem in looping] == [True] * 3


def test_a_third_level_of_plugins_is_fine() -> None:
    third = set_at(document(), "/packages/1/plugins", [OTHER])
    assert validate(set_at(third, "/packages/2/plugin_hosts", [PLUGIN])) == []


@pytest.mark.parametrize("key", ["plugins", "plugin_hosts"])
def test_a_link_that_leads_nowhere_is_a_warning(key: str) -> None:
    dangling = set_at(document(), f"/packages/2/{key}", ["d" * 32])
    assert_only_warning(dangling, f"/packages/2/{key}", "no package")


def test_a_link_that_goes_one_way_is_a_warning() -> None:
    assert_only_warning(
        set_at(document(), "/packages/1/plugin_hosts", []), "/packages/0/plugins", "plugin_hosts"
    )
    assert_only_warning(set_at(document(), "/packages/0/plugins", []), "/packages/1/plugin_hosts", "plugins")


def test_a_plugin_for_another_platform_than_its_host_is_an_error() -> None:
    mixed = set_at(document(), "/packages/1/platform", "windows")
    assert_only_error(mixed, "/packages/0/plugins", "another platform")


@pytest.mark.parametrize("ids", ["text", [1], {}])
def test_links_that_are_no_list_of_ids_are_an_error(ids: object) -> None:
    assert_only_error(set_at(document(), "/packages/2/plugins", ids), "/packages/2/plugins", "list")


def test_links_may_be_missing_or_null() -> None:
    assert errors(without(document(), "/packages/2/plugins")) == []
    assert errors(set_at(document(), "/packages/2/plugins", None)) == []


def test_a_link_that_is_given_twice_is_a_warning() -> None:
    assert_only_warning(
        set_at(document(), "/packages/0/plugins", [PLUGIN, PLUGIN]), "/packages/0/plugins", "once"
    )


def test_an_id_that_is_used_twice_is_an_error() -> None:
    twice = {**document(), "packages": [*document()["packages"], package(OTHER, "another")]}
    assert_only_error(twice, "/packages/3/package_id", "/packages/2")


def test_a_display_name_that_is_used_twice_is_a_warning() -> None:
    twice = {**document(), "packages": [*document()["packages"], package("d" * 32, "other")]}
    assert_only_warning(twice, "/packages/3", "/packages/2", "display name")


def test_a_host_product_must_be_given_and_should_exist() -> None:
    path = "/packages/2/plugin_host_product"
    assert_only_error(without(document(), path), path, "missing")
    lonely = set_at(set_at(document(), path, "nobody"), "/packages/2/plugin_host_version", "1")
    assert_only_warning(lonely, path, "nobody")
    assert validate(set_at(document(), "/packages/1/plugin_host_product", "what-they-call-it")) == []
    path = "/packages/1/plugin_host_version"
    assert_only_warning(set_at(document(), path, ""), path)
    assert_only_error(set_at(document(), path, 4.2), path, "quotes")


def test_paths_are_needed_by_the_documented_listing_and_by_plug_ins() -> None:
    path = "/packages/2/relative_path"
    assert_only_warning(without(document(), path), path, "sorts")
    assert_only_error(set_at(document(), path, None), path, "sorts")
    path = "/packages/2/path"
    assert_only_warning(without(document(), path), path, "PATH")


def test_3ds_max_on_linux_is_a_warning() -> None:
    assert_only_warning(
        set_at(document(), "/packages/2/product", "3dsmax-io"), "/packages/2/platform", "since 8.0"
    )


def test_information_that_is_not_text_is_a_warning() -> None:
    assert_only_warning(set_at(document(), "/packages/2/build_id", 9), "/packages/2/build_id", "text")


# Environments


@pytest.mark.parametrize("path", ["/packages/0/environment", "/env_vars_configs"])
def test_an_unknown_merge_policy_is_an_error_and_prepend_a_warning(path: str) -> None:
    policy = f"{path}/0/merge_policy"
    assert_only_error(set_at(document(), policy, "merge"), policy, "append, exclusive, prepend")
    assert_only_warning(set_at(document(), policy, "prepend"), policy, "before 8.0")


@pytest.mark.parametrize("path", ["/packages/0/environment/0", "/env_vars_configs/0"])
def test_a_variable_needs_a_name_and_a_text(path: str) -> None:
    for name in ("", "A=B", None, 7):
        assert_only_error(set_at(document(), f"{path}/name", name), f"{path}/name")
    containers: list[object] = [[], {}]
    for value in containers:
        assert_only_error(set_at(document(), f"{path}/value", value), f"{path}/value", "whole number")
    assert_only_error(without(document(), f"{path}/value"), f"{path}/value")


@pytest.mark.parametrize("path", ["/packages/0/environment/0", "/env_vars_configs/0"])
def test_a_variable_may_be_a_whole_number(path: str) -> None:
    for value in (0, 1, -7, 2**70):
        assert validate(set_at(document(), f"{path}/value", value)) == []


@pytest.mark.parametrize("path", ["/packages/0/environment/0", "/env_vars_configs/0"])
def test_a_variable_that_is_no_text_and_no_whole_number_is_a_warning_or_an_error_when_strict(
    path: str,
) -> None:
    for value in (True, False, 1.5, 1.0, None):
        odd = set_at(document(), f"{path}/value", value)
        assert_only_warning(odd, f"{path}/value", "quotes")
        assert [problem.path for problem in validate(odd, strict=True) if problem.is_error] == [
            f"{path}/value"
        ]


def test_an_environment_may_be_empty_and_should_not_be_missing() -> None:
    path = "/packages/0/environment"
    assert errors(set_at(document(), path, [])) == []
    assert_only_warning(without(document(), path), path, "missing", "KeyError")
    assert_only_error(set_at(document(), path, None), path, "list")
    assert_only_error(set_at(document(), path, {"PATH": "/bin"}), path, "list")
    assert_only_error(set_at(document(), path, ["PATH=/bin"]), f"{path}/0", "object")


def test_a_variable_that_is_both_joined_and_exclusive_is_an_error() -> None:
    both = [{"name": "PATH", "value": "/a", "merge_policy": policy} for policy in ("append", "exclusive")]
    assert_only_error(
        set_at(document(), "/packages/0/environment", both), "/packages/0/environment/1/merge_policy", "raise"
    )


def test_the_account_environment_may_be_the_answer_of_the_wire() -> None:
    variables = document()["env_vars_configs"]
    record = {"account_id": "5706927", "env": variables}
    assert validate({**document(), "env_vars_configs": [record]}) == []
    assert_only_error({**document(), "env_vars_configs": [record, record]}, "/env_vars_configs", "one record")
    assert_only_error(
        {**document(), "env_vars_configs": [{"account_id": "7"}]}, "/env_vars_configs", "one record"
    )
    nothing = {**document(), "env_vars_configs": [{"account_id": "7", "env": None}]}
    assert_only_error(nothing, "/env_vars_configs/0/env", "list")


def test_an_account_id_that_is_a_number_is_a_warning() -> None:
    # Trap 18: clients compare it with text and find nothing.
    record = {"account_id": 5706927, "env": []}
    numeric = {**document(), "env_vars_configs": [record]}
    assert_only_warning(numeric, "/env_vars_configs/0/account_id", "never match")


# Projects


def test_no_active_project_is_an_error() -> None:
    assert_only_error(set_at(document(), "/projects/0/status", "inactive"), "/projects", "active")
    assert_only_error({**document(), "projects": []}, "/projects", "active")


@pytest.mark.parametrize("key", ["id", "name"])
def test_two_projects_with_one_name_or_id_are_an_error(key: str) -> None:
    twice = set_at(document(), f"/projects/1/{key}", document()["projects"][0][key])
    assert_only_error(twice, f"/projects/1/{key}", "/projects/0")


@pytest.mark.parametrize(("key", "wrong"), [("id", 7.5), ("name", 7), ("status", 7)])
def test_a_project_needs_all_its_fields_as_text(key: str, wrong: object) -> None:
    for nothing in (wrong, "", None, True):
        assert_only_error(set_at(document(), f"/projects/1/{key}", nothing), f"/projects/1/{key}", "text")
    assert_only_error(without(document(), f"/projects/1/{key}"), f"/projects/1/{key}", "text")


def test_the_id_of_a_project_may_be_a_number() -> None:
    numbers = set_at(document(), "/projects/0/id", 5_768_371_074_924_544)
    assert validate(numbers) == []
    twice = set_at(numbers, "/projects/1/id", 5_768_371_074_924_544)
    assert_only_error(twice, "/projects/1/id", "/projects/0")


# Instance types: trap 17 and what stands around it


def test_an_empty_list_of_instance_types_is_an_error() -> None:
    empty = {**document(), "instance_types": [], "machines": {}}
    found = errors(empty)
    assert {problem.path for problem in found} == {"/instance_types"}
    assert "StopIteration" in found[0].message


def test_memory_as_text_and_as_number_is_an_error() -> None:
    mixed = set_at(document(), "/instance_types/0/memory", 30)
    assert_only_error(mixed, "/instance_types", "memory", "TypeError")
    assert validate(set_at(mixed, "/instance_types/1/memory", 7.2)) == []


@pytest.mark.parametrize("memory", ["", "30GB", None, True, "-1", -1])
def test_memory_that_is_no_size_is_an_error(memory: object) -> None:
    path = "/instance_types/0/memory"
    assert path in {problem.path for problem in errors(set_at(document(), path, memory))}


@pytest.mark.parametrize("key", ["gpu_model", "gpu_memory"])
def test_a_gpu_without_model_or_memory_is_an_error(key: str) -> None:
    path = f"/instance_types/1/gpu/{key}"
    assert_only_error(without(document(), path), path, "KeyError")


def test_a_gpu_without_count_is_a_warning_and_an_empty_one_is_none() -> None:
    path = "/instance_types/1/gpu"
    assert_only_warning(without(document(), f"{path}/gpu_count"), f"{path}/gpu_count", "for none")
    assert errors(set_at(document(), path, {})) == []
    assert_only_error(set_at(document(), path, "T4"), path, "object")
    assert_only_error(set_at(document(), f"{path}/gpu_count", "1"), f"{path}/gpu_count", "whole")
    assert_only_error(set_at(document(), f"{path}/gpu_cuda_cores", "many"), f"{path}/gpu_cuda_cores", "whole")


@pytest.mark.parametrize("memory", ["16", "128GB", "7.5 GB", 16])
def test_the_memory_of_a_gpu_may_name_its_unit(memory: object) -> None:
    assert validate(set_at(document(), "/instance_types/1/gpu/gpu_memory", memory)) == []


@pytest.mark.parametrize("memory", ["GB", "16MB", "", None, True, 16.5])
def test_the_memory_of_a_gpu_is_a_number_of_gigabytes(memory: object) -> None:
    path = "/instance_types/1/gpu/gpu_memory"
    assert_only_error(set_at(document(), path, memory), path, "GB")


def test_a_machine_without_the_key_gpu_is_a_warning() -> None:
    path = "/instance_types/0/gpu"
    assert_only_warning(without(document(), path), path, "KeyError", "null")


@pytest.mark.parametrize("lacking", [None, []])
def test_a_machine_without_categories_among_others_with_some_is_a_warning(lacking: object) -> None:
    path = "/instance_types/1/categories"
    assert_only_warning(set_at(document(), path, lacking), path, "menus drop")
    nobody = set_at(set_at(document(), path, lacking), "/instance_types/0/categories", lacking)
    assert errors(nobody) == []


@pytest.mark.parametrize("category", ["CPU", {"label": "CPU"}, {"label": "CPU", "order": "1"}, {"order": 1}])
def test_a_category_needs_label_and_order(category: object) -> None:
    path = "/instance_types/1/categories"
    assert_only_error(set_at(document(), path, [category]), path, "label", "order")


def test_one_label_with_two_orders_is_a_warning() -> None:
    path = "/instance_types/1/categories"
    assert_only_warning(set_at(document(), path, [{"label": "CPU", "order": 3}]), path, "order")


@pytest.mark.parametrize("cores", [0, -1, "8", None, True])
def test_cores_that_are_no_number_above_zero_are_an_error(cores: object) -> None:
    assert_only_error(
        set_at(document(), "/instance_types/0/cores", cores), "/instance_types/0/cores", "number"
    )


def test_an_operating_system_must_be_one_that_clients_know() -> None:
    path = "/instance_types/0/operating_system"
    assert_only_error(without(document(), path), path, "linux, windows")
    assert_only_error(set_at(document(), path, "beos"), path, "beos")


def test_two_machines_with_one_name_are_an_error() -> None:
    twice = set_at(document(), "/instance_types/1/name", "n1-standard-8")
    assert_only_error(twice, "/instance_types/1/name", "/instance_types/0")
    assert "/instance_types/1/name" in {
        problem.path for problem in errors(set_at(document(), "/instance_types/1/name", ""))
    }


def test_a_description_that_is_missing_or_used_twice_is_a_warning() -> None:
    path = "/instance_types/1/description"
    assert_only_warning(set_at(document(), path, "n1-standard-8"), path, "/instance_types/0")
    assert_only_warning(without(document(), path), path, "label")


def test_a_cpu_name_without_a_number_at_its_end_is_a_warning() -> None:
    odd = {**document(), "instance_types": [machine("n1-big"), machine("n1-standard-8")]}
    assert_only_warning(odd, "/instance_types/0/name", "-INTEGER")


def test_names_of_two_providers_are_a_warning() -> None:
    mixed = {**document(), "instance_types": [machine("n1-standard-8"), machine("m5.4xlarge")]}
    assert_only_warning(mixed, "/instance_types", "AWS and GCP", "for GCP")


def test_software_and_machines_without_a_common_platform_are_an_error() -> None:
    windows = [machine("n1-standard-8", operating_system="windows")]
    assert_only_error({**document(), "instance_types": windows}, "/instance_types", "no machine is left")
    nothing = {**document(), "packages": [], "licences": {}}
    assert_only_error(nothing, "/instance_types", "packages are for nothing")


def test_a_platform_that_only_one_side_has_is_a_warning() -> None:
    software = set_at(document(), "/packages/2/platform", "windows")
    assert_only_warning(software, "/packages", "windows")
    windows = machine("n1-standard-8-w", operating_system="windows")
    hardware = {**document(), "instance_types": [*document()["instance_types"], windows]}
    assert_only_warning(hardware, "/instance_types", "windows")


# Prices and speeds


def test_figures_must_be_whole_numbers_of_known_machines() -> None:
    path = "/machines/n1-standard-8"
    assert_only_error(
        set_at(document(), f"{path}/price_usd_per_hour", 0.38), f"{path}/price_usd_per_hour", "micro"
    )
    assert_only_error(set_at(document(), f"{path}/speed", 0), f"{path}/speed", "at least 1")
    assert_only_error(set_at(document(), f"{path}/speed", True), f"{path}/speed", "percentage")
    assert_only_error(set_at(document(), f"{path}/price", 1), f"{path}/price", "price_usd_per_hour")
    assert_only_error(set_at(document(), path, 380_000), path, "object")
    assert_only_error(
        set_at(document(), "/machines/n1-standart-8", {}), "/machines/n1-standart-8", "n1-standard-8"
    )
    assert_only_error({**document(), "machines": []}, "/machines", "object")


def test_licenses_must_be_whole_numbers_and_should_be_of_known_products() -> None:
    assert_only_error(set_at(document(), "/licences/acme", 0.15), "/licences/acme", "micro-dollars")
    assert_only_error(set_at(document(), "/licences/acme", -1), "/licences/acme", "micro-dollars")
    assert_only_error({**document(), "licences": 7}, "/licences", "object")
    assert_only_warning(set_at(document(), "/licences/acne", 1), "/licences/acne", "'acme'")
    assert_only_error({**document(), "licenses": {"acme": 1}}, "/licences", "keep one")
    other = document()
    other["licenses"] = {**other.pop("licences"), "acme": 0.15}
    assert_only_error(other, "/licenses/acme", "micro-dollars")


# Anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: object, path: str = "") -> list[str]:
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, inner in items for place in places(inner, f"{path}/{key}"))]


@given(place=st.sampled_from([place for place in places(document()) if place]), value=JSON)
def test_whatever_stands_wherever_is_judged_and_what_passes_makes_a_catalog(
    place: str, value: object
) -> None:
    changed = set_at(document(), place, value)
    if not errors(changed):
        catalog = Catalog.from_document(changed)
        assert Catalog.from_json(catalog.to_json()).sha256 == catalog.sha256
        assert list(catalog.machines) == [record["name"] for record in catalog.instance_types]


@given(value=JSON)
def test_validation_never_raises(value: object) -> None:
    assert all(problem.message for problem in validate(value))


def test_shipped_catalogs_are_not_changed_by_validation() -> None:
    before = default().to_json()
    validate(named("gcp").to_document())
    assert default().to_json() == before
