"""Faults that were asked for: who gets them, how often, and which rules are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from conductor_mock.inprocess import InProcess, in_process


@pytest.fixture
def fake() -> Iterator[InProcess]:
    with in_process() as started:
        yield started


def sign_in(fake: InProcess, client_id: str) -> dict[str, str]:
    query = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "key"}
    answer = requests.get(f"{fake.url}/api/oauth_jwt", params=query, timeout=60)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def ask_for(fake: InProcess, headers: dict[str, str], rule: Any) -> requests.Response:
    return requests.post(f"{fake.url}/_mock/faults", json=rule, headers=headers, timeout=60)


def projects(fake: InProcess, headers: dict[str, str]) -> requests.Response:
    return requests.get(f"{fake.url}/api/v1/projects/", headers=headers, timeout=60)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 507, 599])
def test_a_fault_has_the_one_shape_whatever_its_status(fake: InProcess, status: int) -> None:
    headers = sign_in(fake, "one")
    rule = {"match": {"operation": "projects.list"}, "fault": {"kind": "status", "status": status}}
    assert ask_for(fake, headers, rule).status_code == 200
    answer = projects(fake, headers)
    assert answer.status_code == status
    assert answer.json() == {
        "status": "error",
        "message": f"fault 1 was asked for: status {status}",
        "errors": [],
    }


def test_a_fault_is_skipped_and_consumed_as_often_as_it_says(fake: InProcess) -> None:
    headers = sign_in(fake, "one")
    fault = {"kind": "status", "status": 429, "retry_after": 7}
    ask_for(
        fake,
        headers,
        {"match": {"method": "get", "path": "/api/v1/pro.*"}, "fault": fault, "times": 2, "skip": 1},
    )
    answers = [projects(fake, headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200, 200]
    assert answers[1].headers["Retry-After"] == "7"
    (rule,) = requests.get(f"{fake.url}/_mock/faults", headers=headers, timeout=60).json()["faults"]
    assert (rule["seen"], rule["consumed"]) == (5, 2)


def test_a_fault_stores_nothing_of_the_request(fake: InProcess) -> None:
    headers = sign_in(fake, "one")
    ask_for(
        fake, headers, {"match": {"operation": "jobs.create"}, "fault": {"kind": "status", "status": 503}}
    )
    job = {
        "instance_type": "m",
        "project": "p",
        "output_path": "/o",
        "tasks_data": [{"command": "c", "frames": "1"}],
    }
    assert requests.post(f"{fake.url}/jobs/", json=job, headers=headers, timeout=60).status_code == 503
    assert requests.get(f"{fake.url}/api/v1/jobs", headers=headers, timeout=60).json() == {"data": []}


def test_faults_are_those_of_one_account_and_end_with_a_reset(fake: InProcess) -> None:
    one, other = sign_in(fake, "one"), sign_in(fake, "other")
    ask_for(fake, one, {"fault": {"kind": "status", "status": 503}})
    assert [projects(fake, headers).status_code for headers in (one, other)] == [503, 200]
    assert requests.post(f"{fake.url}/_mock/reset", json={}, headers=one, timeout=60).status_code == 204
    assert projects(fake, one).status_code == 200


def test_the_token_endpoint_can_fail_too(fake: InProcess) -> None:
    headers = sign_in(fake, "one")
    ask_for(fake, headers, {"match": {"operation": "auth.token"}, "fault": {"kind": "status", "status": 503}})
    query = {"grant_type": "client_credentials", "client_id": "one", "client_secret": "key"}
    assert requests.get(f"{fake.url}/api/oauth_jwt", params=query, timeout=60).status_code == 503


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (7, ""),
        ({"match": {}}, "/fault"),
        ({"match": 1, "fault": {"kind": "status"}}, "/match"),
        ({"match": {"operation": "jobs.crate"}, "fault": {"kind": "status"}}, "/match/operation"),
        ({"match": {"path": "("}, "fault": {"kind": "status"}}, "/match/path"),
        ({"match": {"host": "a"}, "fault": {"kind": "status"}}, "/match/host"),
        ({"fault": {"kind": "reset", "read_body": 1}}, "/fault/read_body"),
        ({"fault": {"kind": "reset", "seconds": 1}}, "/fault/seconds"),
        ({"fault": {"kind": "delay", "seconds": 61}}, "/fault/seconds"),
        ({"fault": {"kind": "delay", "seconds": True}}, "/fault/seconds"),
        ({"fault": {"kind": "stall", "seconds": -1}}, "/fault/seconds"),
        ({"fault": {"kind": "truncate", "bytes": -1}}, "/fault/bytes"),
        ({"fault": {"kind": "corrupt", "bytes": 0}}, "/fault/bytes"),
        ({"fault": {"kind": "fire"}}, "/fault/kind"),
        ({"fault": {"kind": "status", "status": 200}}, "/fault/status"),
        ({"fault": {"kind": "status"}, "times": 0}, "/times"),
        ({"fault": {"kind": "status"}, "skip": -1}, "/skip"),
        ({"fault": {"kind": "status"}, "chance": 1}, "/chance"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_by_place(fake: InProcess, rule: Any, path: str) -> None:
    answer = ask_for(fake, sign_in(fake, "one"), rule)
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["errors"]] == [path]
