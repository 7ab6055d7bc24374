"""Queries and forms of the service: what is unknown is a contract warning, what cannot be meant is refused by name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conductor_contracts.contract import load as load_contract
from conductor_contracts.operation import Operation
from support.server import Answer, ApiCaller, Fake, job_payload, md5_of, running

OPERATIONS = list(load_contract().operations.values())
DOWNLOAD = "/api/v1/fileio/downloader/touch/d00001-000-1.0"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def last_warnings(caller: ApiCaller, operation: str) -> list[str]:
    query = {"account": "*", "operation": operation}
    entries = caller.get("/_mock/requests", query=query).json()["requests"]
    warnings: list[str] = entries[-1]["warnings"]
    return warnings


def ask(caller: ApiCaller, operation: Operation, query: dict[str, str]) -> Answer:
    path = re.sub(r"{\w+}", "00001", operation.path)
    return caller.request(operation.method, path, query=query)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_a_parameter_that_the_service_does_not_know_is_a_warning(
    shared_fake: Fake, operation: Operation
) -> None:
    caller = shared_fake.newcomer()
    without, answer = ask(caller, operation, {}), ask(caller, operation, {"colour": "red"})

    assert answer.status == without.status
    if operation.needs_query and operation.tag != "objects":  # what is missing may have been called so
        *before, last = answer.json()["errors"]
        assert (before, last["path"]) == (without.json()["errors"], "colour")
    else:
        assert answer.content == without.content
    (warning, *_) = last_warnings(caller, operation.id)
    assert warning.startswith("colour is no parameter here")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_it_is_refused_when_the_server_is_strict(strict_fake: Fake, operation: Operation) -> None:
    answer = ask(strict_fake.newcomer(), operation, {"colour": "red"})

    assert answer.status == 400
    assert answer.message.startswith("strict: colour is no parameter here")
    assert list(answer.faults) == ["colour"]


@pytest.fixture(scope="module")
def strict_fake() -> Any:
    with running(strict=True) as fake:
        yield fake


def test_a_misspelt_parameter_is_told_with_the_near_name(fake: Fake) -> None:
    caller = fake.caller()
    caller.get("/downloads/next", query={"locaton": "mars"})

    assert last_warnings(caller, "downloads.next") == [
        "locaton is no parameter here; did you mean 'location'?"
    ]


def test_a_parameter_of_a_submission_that_is_not_known_is_kept_with_the_job(fake: Fake) -> None:
    caller = fake.caller()
    caller.post("/jobs/", job_payload(), query={"dry_run": "1"})

    assert caller.get("/_mock/jobs/00001").json()["warnings"] == ["dry_run is no parameter here"]


@pytest.mark.parametrize(
    ("path", "query", "name", "message"),
    [
        ("/get_log_file", {"task": "000"}, "job", "is required"),
        ("/get_log_file", {"job": "", "task": "000"}, "job", "must not be empty"),
        ("/get_log_file", {"job": "1", "task": "0", "num_lines[]": "many"}, "num_lines[]", "must be a whole"),
        ("/get_log_file", {"job": "1", "task": "0", "num_lines[]": "12x"}, "num_lines[]", "must be a whole"),
        ("/get_log_file", {"job": "1", "task": "0", "num_lines[]": "9" * 5000}, "num_lines[]", "must be"),
        ("/downloads/next", {"count": "0"}, "count", "must be a whole number from 1"),
        ("/downloads/next", {"count": "\u0661"}, "count", "must be a whole number from 1"),
        ("/billing/get_storage_usage", {"start": "2024-04-10"}, "end", "is required"),
        ("/billing/get_storage_usage", {"start": "10.4.24", "end": "2024-04-11"}, "start", "must be a date"),
        ("/api/oauth_jwt", {}, "grant_type", "is required"),
        ("/api/oauth_jwt", {"grant_type": "password"}, "grant_type", 'must be "client_credentials"'),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(
    shared_fake: Fake, path: str, query: dict[str, str], name: str, message: str
) -> None:
    answer = shared_fake.newcomer().get(path, query=query)

    assert answer.status == 400
    assert answer.faults[name].startswith(message)


@pytest.mark.parametrize("query", ["count=", "count=1000000", "location="])
def test_a_value_that_says_nothing_is_taken(shared_fake: Fake, query: str) -> None:
    assert shared_fake.newcomer().get("/downloads/next", query=query).status == 204


def test_a_signed_url_is_right_or_wrong_as_a_whole(fake: Fake) -> None:
    """What is missing from one is no fault of a query: the URL was never handed out."""
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", b"scene")

    assert caller.put(url.partition("?")[0], b"scene").status == 404
    assert caller.put(url.replace("expires=", "expires=x"), b"scene").status == 404
    assert caller.put(url.replace("signature=", "signature=x"), b"scene").status == 403
    assert caller.put(f"{url}&partNumber=1", b"scene").status == 200
    assert last_warnings(caller, "objects.put") == [
        "partNumber is no parameter here; accepted are expires, signature, size"
    ]
    assert caller.files() == {"/proj/a.ma": md5_of(b"scene")}


def test_an_unknown_field_of_a_form_is_a_warning(fake: Fake) -> None:
    caller = fake.caller()
    answer = caller.put(DOWNLOAD, b"bytes_transfered=1", headers=FORM)

    assert answer.status == 410
    assert last_warnings(caller, "fileio.touch") == [
        "bytes_transfered is not in the contract; did you mean 'bytes_transferred'?"
    ]


@pytest.mark.parametrize("value", ["many", "-1", "9" * 19])
def test_a_field_of_a_form_that_cannot_be_meant_is_refused_by_name(fake: Fake, value: str) -> None:
    answer = fake.caller().put(DOWNLOAD, f"bytes_transferred={value}".encode(), headers=FORM)

    assert answer.status == 400
    assert answer.faults["bytes_transferred"].startswith("must be a whole number of bytes")
    assert json.loads(answer.content)["message"].startswith("fileio.touch: the form is not valid: ")
