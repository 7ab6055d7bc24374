"""Records as they were published, and as real accounts have them, are taken as they are and served back equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor_mock.catalog import default, from_document, load
from support.listing import listing_of_2018
from support.published import as_published
from support.server import Fake, running

Record = dict[str, Any]

LISTS = {
    "packages": "/api/v1/ee/packages",
    "projects": "/api/v1/projects/",
    "instance_types": "/api/v1/instance-types",
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
