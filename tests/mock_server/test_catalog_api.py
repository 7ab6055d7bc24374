"""The lists of the catalogue as clients ask for them."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from conductor_mock.catalog import default
from conductor_mock.farm.ids import account_id
from support.server import ApiCaller, Fake, running


@pytest.mark.parametrize("query", ["", "all=true,", "all=true%2C", "anything=else"])
def test_packages_are_listed_whatever_the_query(fake: Fake, query: str) -> None:
    """Newer clients send `all=true,` with its comma (trap 15)."""
    answer = fake.caller().get("/api/v1/ee/packages", query=query)

    assert answer.json() == {"data": list(default().packages)}
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/api/v1/projects/", "/api/v1/projects"])
def test_projects_are_listed_with_and_without_the_slash(fake: Fake, path: str) -> None:
    """A redirect would lose the body of other requests, so there is none anywhere (trap 26)."""
    caller = fake.caller()
    for query in ("", f"filter=account_id_eq_{account_id('studio')}"):
        assert caller.get(path, query=query).json() == {"data": list(default().projects)}
    assert caller.get(path, query="filter=account_id_eq_7").json() == {"data": []}
    assert caller.get(path, query="filter=what").status == 400


@pytest.mark.parametrize("query", ["", "filter="])
def test_all_instance_types_are_listed_without_a_filter(fake: Fake, query: str) -> None:
    assert fake.caller().get("/api/v1/instance-types", query=query).json() == {
        "data": list(default().instance_types)
    }


def test_instance_types_are_filtered(fake: Fake) -> None:
    text = "cpu=gte:8:int,operating_system=ne:windows,gpu.gpu_count=eq:1:int"
    records = fake.caller().get("/api/v1/instance-types", query=f"filter={quote(text)}").json()["data"]
    wanted = [
        record
        for record in default().instance_types
        if record["cores"] >= 8
        and record["operating_system"] != "windows"
        and (record["gpu"] or {}).get("gpu_count") == 1
    ]

    assert records == wanted
    assert 0 < len(records) < len(default().instance_types)


def test_a_filter_that_fits_nothing_answers_an_empty_list(fake: Fake) -> None:
    assert fake.caller().get("/api/v1/instance-types", query={"filter": "cores=gte:9999:int"}).json() == {
        "data": []
    }


@pytest.mark.parametrize(
    "text", ["cores", "cores=8", "cores=near:8", "cores=gte:many:int", "=eq:1", "\u00e9=:"]
)
def test_a_filter_that_cannot_be_understood_is_refused(fake: Fake, text: str) -> None:
    answer = fake.caller().get("/api/v1/instance-types", query={"filter": text})

    assert answer.status == 400
    assert list(answer.faults) == ["filter"]


def test_a_catalog_of_ones_own_is_served(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps({"projects": [{"id": "1", "name": "batman", "status": "active"}]}))
    with running(catalog=file) as fake:
        caller = fake.caller()

        assert caller.get("/api/v1/projects/").json() == {
            "data": [{"id": "1", "name": "batman", "status": "active"}]
        }
        assert caller.get("/api/v1/ee/packages").json() == {"data": list(default().packages)}
        caller.submit(project="default")
        (entry,) = caller.get("/_mock/requests", query={"account": "studio", "method": "POST"}).json()[
            "requests"
        ]
        assert entry["warnings"] == ["/project the catalogue has no project 'default'"]


@pytest.mark.parametrize("path", ["/api/v1/ee/packages", "/api/v1/projects/", "/api/v1/instance-types"])
def test_a_list_can_be_asked_for_by_its_head(fake: Fake, path: str) -> None:
    head = fake.caller().request("HEAD", path)

    assert (head.status, head.content) == (200, b"")


def package_with(value: object) -> dict[str, object]:
    """A package of the shipped catalogue, with one more variable."""
    record = dict(default().packages[0], plugins=[], plugin_hosts=[], package_id="f" * 32)
    return {**record, "environment": [{"name": "LEVEL", "value": value, "merge_policy": "exclusive"}]}


def test_a_whole_number_among_the_variables_of_a_package_is_served_as_one() -> None:
    """Wire reference 12.1."""
    with running(strict=True) as fake:
        caller = fake.caller()
        taken = caller.request(
            "PUT", "/_mock/catalog", body={"packages": [package_with(7)]}, query=query_of(caller)
        )
        (served,) = caller.get("/api/v1/ee/packages").json()["data"]

    assert taken.status == 200
    assert not [text for text in taken.json()["warnings"] if "/environment" in text]
    assert served["environment"][0]["value"] == 7


@pytest.mark.parametrize("value", [True, 1.5, None])
def test_what_is_no_value_of_a_variable_is_warned_of_and_refused_by_a_strict_server(value: object) -> None:
    place = "/packages/0/environment/0/value"
    with running() as fake:
        caller = fake.caller()
        taken = caller.request(
            "PUT", "/_mock/catalog", body={"packages": [package_with(value)]}, query=query_of(caller)
        )
        assert taken.status == 200
        assert place in [text.partition(" ")[0] for text in taken.json()["warnings"]]

    with running(strict=True) as strict:
        caller = strict.caller()
        refused = caller.request(
            "PUT", "/_mock/catalog", body={"packages": [package_with(value)]}, query=query_of(caller)
        )
        assert (refused.status, list(refused.faults)) == (400, [place])


def query_of(caller: ApiCaller) -> dict[str, str]:
    return {"account": caller.client_id}
