"""Records as they were published, and as real accounts have them, are taken as they are and served back equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor_mock.catalog import default, from_document, load
from support.listing import listing_of_2018
from support.server import Fake, running

Record = dict[str, Any]

LISTS = {
    "packages": "/api/v1/ee/packages",
    "projects": "/api/v1/projects/",
    "instance_types": "/api/v1/instance-types",
}


def package(package_id: str, product: str, version: str, **fields: object) -> Record:
    """A record of today, changed by `fields`."""
    parts = ("major_version", "minor_version", "release_version", "build_version")
    return {
        "package_id": package_id,
        "product": product,
        "platform": "linux",
        **dict(zip(parts, [*version.split("."), "", "", ""], strict=False)),
        "plugin_host_product": "",
        "plugin_host_version": "",
        "plugin_hosts": [],
        "plugins": [],
        "environment": [],
        "relative_path": product,
        **fields,
    }


def as_published() -> Record:
    """What is odd about published records, all at once (wire reference 12.1, 12.6 and 12.8)."""
    whole = [{"name": "ABORT_ON_LICENSE_FAIL", "value": 1, "merge_policy": "exclusive"}]
    brush = {"plugin_host_product": "painter", "plugin_host_version": "1_0", "plugin_hosts": ["id_1"]}
    hairs = {"plugin_host_product": "brush", "plugin_host_version": "any", "plugin_hosts": ["id_2"]}
    machine = {
        "cores": 8,
        "memory": 64,
        "operating_system": "linux",
        "categories": [{"label": "high", "order": 3}],
    }
    gpu = {"gpu_count": 8, "gpu_model": "V100", "gpu_memory": "128GB"}
    batch = {"cpu": 8, "cloud": "aws", "orchestrator": "batch"}
    return {
        "packages": [
            package("id_1", "paint", "1.0", plugins=["id_2"]),
            package("id_2", "brush-paint", "2.1.0.2", plugins=["id_3"], **brush),
            package("id_3", "hairs", "1", environment=whole, **hairs),
            package("id_4", "orphan", "2", plugin_host_product="nobody", plugin_host_version="7"),
        ],
        "projects": [{"id": 5_768_371_074_924_544, "name": "default", "status": "active", "created": None}],
        "instance_types": [
            {**machine, "name": "cw-a-8", "description": "A", "categories": None},
            {**machine, "name": "cw-b-8", "description": "B", "gpu": gpu},
            {**machine, "name": "cw-c-8", "description": "C", "gpu": None, **batch},
        ],
    }


def served(fake: Fake) -> Record:
    """The three lists, as a client is answered; the contract, which knows of nothing so odd, is not asked."""
    client, token = fake.app.test_client(), fake.caller().token
    return {
        name: client.get(path, headers={"Authorization": f"Bearer {token}"}).get_json()["data"]
        for name, path in LISTS.items()
    }


def test_published_records_are_put_and_served_back_equal(fake: Fake) -> None:
    caller = fake.caller()
    answer = caller.request("PUT", "/_mock/catalog", body=as_published())

    assert answer.status == 200, answer.content
    assert served(fake) == as_published()
    kept = caller.get("/_mock/catalog").json()
    assert {name: kept[name] for name in LISTS} == as_published()
    assert any(
        warning.startswith("/instance_types/0/gpu is missing") for warning in answer.json()["warnings"]
    )


@pytest.mark.parametrize("name", ["published.json", "published.yaml"])
def test_published_records_are_read_from_a_file_and_served_equal(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    text = json.dumps(as_published()) if name.endswith("json") else yaml.safe_dump(as_published())
    file.write_text(text, encoding="utf-8")
    with running(catalog=file) as fake:
        assert served(fake) == as_published()


def test_a_job_on_a_machine_whose_gpu_names_its_unit_is_taken(fake: Fake) -> None:
    caller = fake.caller()
    caller.request("PUT", "/_mock/catalog", body=as_published())
    caller.submit(instance_type="cw-b-8", software_package_ids=["id_1", "id_2", "id_3"])
    entries = caller.get("/_mock/requests", query={"account": "studio", "method": "POST"}).json()["requests"]
    assert entries[-1]["warnings"] == []


def test_a_gpu_is_as_fast_whether_its_memory_names_the_unit_or_not() -> None:
    plain = as_published()
    plain["instance_types"][1]["gpu"] = {**plain["instance_types"][1]["gpu"], "gpu_memory": "128"}
    one, other = (from_document(each, "a test").machines["cw-b-8"] for each in (as_published(), plain))
    assert one == other
    assert one.speed == 8 * 128 * 100 // 8 + 100


def test_what_the_records_of_ciocores_own_tests_lack_is_a_warning() -> None:
    document = as_published()
    for record in document["packages"]:
        del record["environment"], record["relative_path"]
    assert list(from_document(document, "a test").packages) == document["packages"]


def test_the_listing_of_2018_is_put_and_served_back_equal(fake: Fake) -> None:
    listing = listing_of_2018()
    answer = fake.caller().request("PUT", "/_mock/catalog", body={"packages": listing})
    assert answer.status == 200, answer.content
    assert served(fake)["packages"] == listing


def test_the_listing_of_2018_is_read_from_a_file_and_served_equal(tmp_path: Path) -> None:
    listing = listing_of_2018()
    file = tmp_path / "listing.json"
    file.write_text(json.dumps({"packages": listing}), encoding="utf-8")
    catalog = load(file)
    assert list(catalog.packages) == listing
    assert catalog.instance_types == default().instance_types
    with running(catalog=file) as fake:
        assert served(fake)["packages"] == listing
