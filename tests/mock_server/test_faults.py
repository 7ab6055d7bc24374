"""Faults that were asked for: who gets them, how often, and which rules are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import Field
from typing import Any

import pytest
import requests

from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import KINDS
from conductor_mock.faults.options import schema_of
from conductor_mock.faults.reading import FaultError, read_rule
from conductor_mock.faults.rules import MAX_RULES, Faults
from conductor_mock.inprocess import InProcess, in_process
from conductor_mock.settings import Settings
from support.server import ManualWall


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


@pytest.mark.parametrize(
    ("path", "fits"),
    [("/api/v1/projects/", True), ("/api/v1/pro", False), ("api/v1/projects/", False), (".*", True)],
)
def test_an_expression_fits_the_whole_path_or_not_at_all(fake: InProcess, path: str, fits: bool) -> None:
    headers = sign_in(fake, "one")
    ask_for(fake, headers, {"match": {"path": path}, "fault": {"kind": "status", "status": 503}})
    assert projects(fake, headers).status_code == (503 if fits else 200)


def test_an_account_has_a_thousand_rules_at_most() -> None:
    faults = Faults(operations=())
    rule = {"match": {}, "fault": {"kind": "status", "status": 503}}
    for _ in range(1000):
        faults.add("5001", rule)
    with pytest.raises(FaultError, match="one rule more than the 1000 of an account"):
        faults.add("5001", rule)
    faults.add("5002", rule)
    faults.clear("5001")
    faults.add("5001", rule)


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


# Quotas: what is asked for is served or refused by what was asked for before


QUOTA = {"kind": "quota", "requests": 2, "seconds": 10}


@pytest.fixture
def wall() -> ManualWall:
    return ManualWall()


@pytest.fixture
def timed(wall: ManualWall) -> Iterator[InProcess]:
    """A fake whose wall clock stands still."""
    settings = Settings(ephemeral=True, speed=0)
    with in_process(settings, wall=wall) as started:
        yield started


def test_a_quota_is_full_again_when_its_time_is_over(timed: InProcess, wall: ManualWall) -> None:
    headers = sign_in(timed, "one")
    ask_for(timed, headers, {"match": {"operation": "projects.list"}, "fault": QUOTA})
    wall.step(100)
    answers = [projects(timed, headers)]
    wall.step(7.5)
    answers += [projects(timed, headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[2].headers["Retry-After"] == "3", "2.5 seconds are left, in whole ones"
    assert "2 requests in 10 s" in answers[2].json()["message"]
    wall.step(float(answers[2].headers["Retry-After"]))
    assert [projects(timed, headers).status_code for _ in range(3)] == [200, 200, 429]
    (rule,) = requests.get(f"{timed.url}/_mock/faults", headers=headers, timeout=60).json()["faults"]
    assert (rule["seen"], rule["consumed"]) == (7, 3)


def test_a_clock_that_steps_back_does_not_close_a_quota_for_good(timed: InProcess, wall: ManualWall) -> None:
    headers = sign_in(timed, "one")
    ask_for(timed, headers, {"match": {"operation": "projects.list"}, "fault": QUOTA})
    assert [projects(timed, headers).status_code for _ in range(3)] == [200, 200, 429]
    wall.step(-3600)
    assert [projects(timed, headers).status_code for _ in range(3)] == [200, 200, 429]


def test_a_quota_leaves_what_it_serves_to_the_next_rule_and_is_over_with_its_times(timed: InProcess) -> None:
    headers = sign_in(timed, "one")
    ask_for(timed, headers, {"match": {"operation": "projects.list"}, "fault": QUOTA, "times": 1, "skip": 1})
    ask_for(timed, headers, {"match": {"operation": "projects.list"}, "fault": {"kind": "status"}, "skip": 2})
    assert [projects(timed, headers).status_code for _ in range(6)] == [200, 200, 503, 429, 503, 503]


# Rules that cannot be meant


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
        ({"fault": {"kind": 7}}, "/fault/kind"),
        ({"fault": {}}, "/fault/kind"),
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


def test_everything_that_is_wrong_with_a_fault_is_said_at_once(fake: InProcess) -> None:
    rule = {"match": {"path": "*"}, "fault": {"kind": "status", "status": 200, "bytes": 1}}
    errors = ask_for(fake, sign_in(fake, "one"), rule).json()["errors"]
    assert {error["path"]: error["message"] for error in errors} == {
        "/match/path": "is not a regular expression that RE2 takes: no argument for repetition operator: *",
        "/fault/status": "must be a whole number from 400 to 599, got 200",
        "/fault/bytes": "is not known; accepted are kind, status, retry_after",
    }


OPTIONS = [(kind, option) for kind in KINDS for option in kind.options()]


@pytest.mark.parametrize(
    ("kind", "option"), OPTIONS, ids=[f"{kind.kind} {option.name}" for kind, option in OPTIONS]
)
def test_an_option_takes_what_its_schema_says_and_nothing_else(kind: type[Fault], option: Field[Any]) -> None:
    def read(value: Any) -> Any:
        rule = read_rule({"fault": {"kind": kind.kind, option.name: value}}, ())
        return rule.fault.to_json()[option.name]

    assert read(None) == option.default
    schema = schema_of(option)
    limits = [schema[name] for name in ("minimum", "maximum") if name in schema]
    for allowed in limits or (True, False):
        assert read(allowed) == allowed
    for wrong in ([limits[0] - 1, limits[1] + 1, True] if limits else [0, 1]) + ["1", [1], {}]:
        with pytest.raises(FaultError) as caught:
            read(wrong)
        assert [problem.path for problem in caught.value.problems] == [f"/fault/{option.name}"]


def test_a_whole_number_with_a_point_is_a_whole_number(fake: InProcess) -> None:
    rule = {"fault": {"kind": "status", "status": 429.0, "retry_after": 2.0}, "times": 1.0, "skip": 0.0}
    answer = ask_for(fake, sign_in(fake, "one"), rule)
    assert '"status": 429, "retry_after": 2}, "times": 1, "skip": 0,' in json.dumps(answer.json())


def test_a_rule_as_it_is_listed_can_be_asked_for_again(fake: InProcess) -> None:
    headers = sign_in(fake, "one")
    for kind in KINDS:
        listed = ask_for(fake, headers, {"fault": {"kind": kind.kind}, "skip": 99}).json()
        again = {name: listed[name] for name in set(listed) - {"id", "seen", "consumed"}}
        answer = ask_for(fake, headers, again)
        assert (answer.status_code, answer.json()["fault"]) == (200, listed["fault"])


def test_an_account_has_so_many_rules_and_no_more() -> None:
    rules = Faults(())
    for _ in range(MAX_RULES):
        rules.add("5001", {"fault": {"kind": "status"}})
    with pytest.raises(
        FaultError, match=f"one rule more than the {MAX_RULES} of an account; delete them first"
    ):
        rules.add("5001", {"fault": {"kind": "status"}})
    rules.add("5002", {"fault": {"kind": "status"}})
