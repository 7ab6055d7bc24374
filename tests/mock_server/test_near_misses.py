"""A request that fits no route, or breaks the contract, is told what it was near, and so is whoever looks at it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from click.testing import CliRunner

from conductor_contracts.contract import load
from conductor_mock.cli import main
from conductor_mock.context import service_of
from conductor_mock.inprocess import in_process
from conductor_mock.settings import Settings
from support.server import ApiCaller, Fake, job_payload

GUESSED = {"name": "shot 7", "tasks": [{"cmd": "render", "frame": "1"}], "instance": "n1-standard-4"}


def last(fake: Fake) -> dict[str, Any]:
    entry: dict[str, Any] = (
        fake.anonymous().get("/_mock/requests", query={"account": "*"}).json()["requests"][-1]
    )
    return entry


def test_a_guessed_submission_is_told_all_that_it_takes(fake: Fake) -> None:
    """As a program that was written without the documents does it, step by step, each by the sentence before."""
    guesser = fake.anonymous()
    answer = guesser.request("POST", "/api/v1/jobs", body=GUESSED)
    assert answer.status == 405
    for word in ("POST /jobs/ (jobs.create)", "/api/oauth_jwt", "/tasks_data", "/instance_type"):
        assert word in answer.message, word
    places = {error["path"] for error in answer.json()["errors"]}
    assert {"method", "path", "Authorization", "/tasks_data", "/instance_type"} <= places

    refused = fake.caller().request("POST", "/jobs/", body=GUESSED)
    assert refused.status == 400
    assert refused.message.startswith("jobs.create: the request body is not valid: ")
    assert "'tasks_data'" in refused.message
    assert fake.caller().request("POST", "/jobs/", body=job_payload()).status == 201


def test_the_journal_keeps_what_was_near(fake: Fake) -> None:
    fake.caller().request("GET", "/api/v1/machines")
    near = last(fake)["near_miss"]
    assert (near["operation"], near["method"], near["path"]) == (
        "instance_types.list",
        "GET",
        "/api/v1/instance-types",
    )
    assert [each["path"] for each in near["differences"]] == ["path"]

    fake.caller().request("POST", "/jobs/", body={**job_payload(), "tasks_data": 7})
    near = last(fake)["near_miss"]
    assert near["operation"] == "jobs.create"
    assert [each["path"] for each in near["differences"]] == ["/tasks_data"]

    fake.caller().request("GET", "/downloads/next", query={"count": "0"})
    assert [each["path"] for each in last(fake)["near_miss"]["differences"]] == ["count"]

    fake.caller().request("GET", "/api/v1/jobs")
    assert "near_miss" not in last(fake)


@pytest.mark.parametrize("operation", [each.id for each in load().operations.values() if each.request_schema])
def test_every_refusal_by_the_contract_has_its_operation_and_fields(
    shared_fake: Fake, operation: str
) -> None:
    """A list is the body of no operation."""
    known = load().operations[operation]
    path = known.path.replace("{", "").replace("}", "")
    answer = shared_fake.newcomer().request(known.method, path, body=[1])
    assert answer.status == 400
    near = last(shared_fake)["near_miss"]
    assert near["operation"] == operation
    assert near["differences"] == answer.json()["errors"]


def test_the_log_says_it(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "conductor_mock.access"):
        fake.caller().request("POST", "/jobs/", body={})
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "jobs.create: /tasks_data" in record.getMessage()


def test_a_request_that_fits_no_route_is_in_the_journal_of_whose_token_it_carries(fake: Fake) -> None:
    caller, stranger = fake.caller(), fake.caller("another")
    caller.request("GET", "/api/v1/machines")
    assert None in [entry["operation"] for entry in caller.get("/_mock/requests").json()["requests"]]
    assert None not in [entry["operation"] for entry in stranger.get("/_mock/requests").json()["requests"]]


def test_the_command_and_the_page_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with in_process(Settings(ephemeral=True, speed=0)) as started:
        keys = service_of(started.app).keys
        caller = ApiCaller(started.app, keys.client_id, keys.private_key)
        caller.sign_in()
        caller.request("POST", "/jobs/123/kill", body={"action": "kill"})
        monkeypatch.setenv("CONDUCTOR_URL", started.url)
        shown = CliRunner().invoke(main, ["requests", "--json"]).output
        number = json.loads(shown)["requests"][-1]["id"]
        lines = CliRunner().invoke(main, ["requests"]).output
        page = caller.get(f"/requests/{number}").content.decode()
    assert "    jobs.act: method must be PUT, got POST" in lines
    assert "    jobs.act: path must be /jobs_multi, got /jobs/123/kill" in lines
    assert "<code>PUT /jobs_multi</code> (jobs.act): method must be PUT, got POST; path must be" in page
