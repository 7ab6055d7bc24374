"""Catalogues from users' files: what may be left out, what follows by rule, and what a bad file is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor_mock.catalog import CatalogError, default, from_document, load
from conductor_mock.catalog.machines import FIGURES

CUSTOM_MACHINE = {
    "name": "n1-standard-12",
    "description": "12 core",
    "cores": 12,
    "memory": "48",
    "operating_system": "linux",
    "gpu": None,
    "categories": [{"label": "CPU", "order": 1}],
}


def write(folder: Path, name: str, content: object) -> Path:
    file = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    file.write_text(text, encoding="utf-8")
    return file


def refusal(path: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        load(path)
    return str(caught.value)


def test_what_was_written_by_the_shipped_catalog_loads_as_the_same(tmp_path: Path) -> None:
    assert load(write(tmp_path, "all.json", default().to_json())) == default()
    as_yaml = yaml.safe_dump(default().to_document(), sort_keys=False)
    assert load(write(tmp_path, "all.yaml", as_yaml)).sha256 == default().sha256


def test_a_file_may_hold_only_what_differs_from_the_shipped_catalog(tmp_path: Path) -> None:
    text = """
        projects:
          - {id: "4711", name: Spiderman, status: active}
    """
    catalog = load(write(tmp_path, "studio.yaml", text))
    assert [project["name"] for project in catalog.projects] == ["Spiderman"]
    assert (catalog.packages, catalog.machines) == (default().packages, default().machines)
    assert (catalog.env_vars, catalog.licenses) == (default().env_vars, default().licenses)


def test_prices_and_speeds_that_are_left_out_follow_from_the_machine(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, "machines.json", {"instance_types": [CUSTOM_MACHINE]}))
    machine = catalog.machines["n1-standard-12"]
    assert machine.price_micro_usd_per_hour == 12 * 31_611 + 48 * 4_237
    assert machine.preemptible_micro_usd_per_hour == machine.price_micro_usd_per_hour * 30 // 100
    assert (machine.cores, machine.speed) == (12, 150)
    assert list(catalog.machines) == ["n1-standard-12"]


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_that_a_document_states_is_that_of_the_machine_and_comes_back(figure: str) -> None:
    catalog = from_document({"machines": {"n1-standard-8": {figure: 7}}}, "a test")

    assert catalog.machines["n1-standard-8"].figures()[figure] == 7
    assert from_document(catalog.to_document(), "a test") == catalog


def test_a_machine_has_nothing_but_its_figures_and_what_its_record_says() -> None:
    stated = {figure: 1_000_003 + number for number, figure in enumerate(FIGURES)}
    catalog = from_document(
        {"instance_types": [CUSTOM_MACHINE], "machines": {"n1-standard-12": stated}}, "a test"
    )
    (machine,) = catalog.machines.values()
    said = {name for name, value in vars(machine).items() if value not in stated.values()}

    assert machine.figures() == stated
    assert said <= {"name", "cores", "gpu_count"}, "a document cannot state it: see FIGURES"


def test_prices_and_speeds_may_be_given(tmp_path: Path) -> None:
    figures = {"n1-standard-8": {"price_usd_per_hour": 1_000_000, "speed": 250}}
    catalog = load(write(tmp_path, "prices.json", {"machines": figures}))
    machine = catalog.machines["n1-standard-8"]
    assert (
        machine.price_micro_usd_per_hour,
        machine.preemptible_micro_usd_per_hour,
        machine.speed,
    ) == (
        1_000_000,
        300_000,
        250,
    )
    assert catalog.machines["n1-standard-16"] == default().machines["n1-standard-16"]
    figures["n1-standard-8"]["preemptible_usd_per_hour"] = 7
    again = load(write(tmp_path, "prices.json", {"machines": figures}))
    assert again.machines["n1-standard-8"].preemptible_micro_usd_per_hour == 7


@pytest.mark.parametrize(
    ("gpu", "speed"),
    [
        ({"gpu_count": 2, "gpu_model": "X", "gpu_memory": "16"}, 550),
        ({"gpu_count": 2, "gpu_model": "X", "gpu_memory": "16", "gpu_cuda_cores": 5120}, 950),
        ({}, 150),
    ],
)
def test_a_gpu_counts_by_its_cuda_cores_or_else_by_its_memory(gpu: dict[str, Any], speed: int) -> None:
    catalog = from_document({"instance_types": [{**CUSTOM_MACHINE, "gpu": gpu}]}, "test")
    assert catalog.machines["n1-standard-12"].speed == speed


def test_part_of_a_core_is_paid_as_such_and_counted_as_one() -> None:
    catalog = from_document({"instance_types": [{**CUSTOM_MACHINE, "cores": 0.5, "memory": 0.6}]}, "test")
    machine = catalog.machines["n1-standard-12"]
    assert (machine.cores, machine.speed) == (1, 6)
    assert machine.price_micro_usd_per_hour == (31_611 * 5 + 4_237 * 6) // 10


def test_licenses_that_are_left_out_are_those_of_the_shipped_products() -> None:
    arnold = next(each for each in default().packages if each["product"] == "arnold-maya")
    own = {**arnold, "package_id": "1" * 32, "product": "own-maya", "plugin_hosts": []}
    packages = [{**arnold, "plugin_hosts": []}, own]
    assert from_document({"packages": packages}, "test").licenses == {"arnold-maya": 150_000}
    for spelling in ("licenses", "licences"):
        assert from_document({"packages": packages, spelling: {"own-maya": 5}}, "test").licenses == {
            "own-maya": 5
        }


def test_the_account_environment_may_be_given_as_the_wire_has_it() -> None:
    variables = [{"name": "TZ", "value": "UTC", "merge_policy": "exclusive"}]
    assert from_document({"env_vars_configs": variables}, "test").env_vars == tuple(variables)
    record = {"account_id": "7", "env": variables}
    assert from_document({"env_vars_configs": [record]}, "test").env_vars == tuple(variables)


def test_a_warning_does_not_stop_a_file() -> None:
    variables = [{"name": "TOOLS", "value": "/tools", "merge_policy": "prepend"}]
    assert from_document({"env_vars_configs": variables}, "test").env_vars == tuple(variables)


def test_a_refusal_names_the_file_each_place_and_what_is_accepted(tmp_path: Path) -> None:
    package = {**default().packages[0], "major_version": 2018, "plugins": []}
    del package["platform"]
    file = write(tmp_path, "bad.json", {"packages": [package], "projects": []})
    with pytest.raises(CatalogError) as caught:
        load(file)
    message = str(caught.value)
    assert message.startswith(f"{file} is not a usable catalogue:")
    for part in (
        "/packages/0/platform",
        "use linux or windows",
        "/packages/0/major_version",
        "/projects",
        "'active'",
    ):
        assert part in message
    assert "/packages/0/platform" in {problem.path for problem in caught.value.problems}
    assert all(problem.is_error for problem in caught.value.problems)


def test_a_refusal_of_many_places_shows_the_first_ones_and_counts_the_rest(tmp_path: Path) -> None:
    projects = [{"id": str(index), "name": f"p{index}", "status": 1} for index in range(30)]
    message = refusal(write(tmp_path, "many.json", {"projects": projects}))
    assert "/projects/9/status" in message
    assert "/projects/10/status" not in message
    assert message.endswith("and 21 more")


def test_version_numbers_without_quotes_in_yaml_are_explained(tmp_path: Path) -> None:
    package = yaml.safe_dump([{**default().packages[0], "major_version": 2018, "plugins": []}])
    message = refusal(write(tmp_path, "bad.yaml", "packages:\n" + package))
    assert "/packages/0/major_version: 2018 must be text, in quotes" in message


@pytest.mark.parametrize("text", ["2019-05-02", "0010", "1:30", "on", "1_000", "0x10"])
def test_text_in_yaml_needs_no_quotes(tmp_path: Path, text: str) -> None:
    project = f"projects: [{{id: '1', name: default, status: active, since: {text}}}]"
    (read,) = load(write(tmp_path, "own.yaml", project)).projects
    assert read["since"] == text


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("empty.yaml", "", "must be an object"),
        ("list.json", "[]", "must be an object"),
        ("nothing.json", "{}", "/packages: is missing"),
        ("typo.json", '{"package": []}', "did you mean 'packages'"),
        ("broken.json", "{", "is not JSON"),
        ("broken.yaml", "a: [", "is not YAML"),
        ("tag.yaml", "a: !!python/object/apply:os.getcwd []", "is not YAML"),
        ("deep.json", "[" * 100_000, "deep"),
    ],
)
def test_a_file_that_is_no_catalog_is_refused_by_name(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    message = refusal(write(tmp_path, name, text))
    assert name in message
    assert words in message


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    assert "missing.yaml cannot be read: No such file" in refusal(tmp_path / "missing.yaml")
    assert str(tmp_path) in refusal(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("projects: [gr\u00f6\u00dfe]".encode("latin-1"))
    assert "latin.yaml is not UTF-8" in refusal(latin)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "windows.json"
    file.write_text(json.dumps({"projects": list(default().projects)}), encoding="utf-8-sig")
    assert load(file).projects == default().projects


def test_loading_a_file_leaves_the_shipped_catalog_as_it_was(tmp_path: Path) -> None:
    before = default().sha256, default().to_json()
    load(write(tmp_path, "own.json", {"instance_types": [CUSTOM_MACHINE]}))
    assert (default().sha256, default().to_json()) == before
