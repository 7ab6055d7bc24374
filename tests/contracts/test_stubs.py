"""Stubs answer as the contract says: to a client, to what breaks the contract, in Python and served by WireMock."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from click.testing import CliRunner

from conductor.lib.conductor_submit import Submit
from conductor_contracts.cli import main
from conductor_contracts.contract import load
from conductor_contracts.operation import JSON, Operation
from conductor_contracts.references import resolve
from conductor_contracts.stubs import add_to, error, module_text, stubs, wiremock_mappings

URL = "http://conductor.test"
OPERATIONS = load().operations
JAR = os.environ.get("CONDUCTOR_MOCK_TEST_WIREMOCK", "")
TOKEN = {"Authorization": "Bearer e30.e30.e30"}
CLIENT_KEY = {"client_id": "a", "private_key": "b"}


def example_of(node: Any) -> Any:
    """The example that a part of the document has, if it has one."""
    if "example" in node:
        return node["example"]
    return next((one["value"] for one in node.get("examples", {}).values()), None)


def right_request(operation: Operation, base_url: str = URL) -> dict[str, Any]:
    """A request that keeps the contract, made of the examples that it has."""
    document = load().document
    spec = document["paths"][operation.path][operation.method.lower()]
    given = {"account_id": "73", "jid": "00012", "number": "1", "task": "003", "job": "00012"}
    query = {}
    for one in (resolve(document, node) for node in spec.get("parameters", ())):
        if one["in"] == "query" and one.get("required"):
            query[one["name"]] = example_of(one) or given.get(one["name"], "1770000000")
    if operation.id == "auth.token":
        query = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
    if operation.id == "billing.get_storage_usage":
        query = {"start": "2026-01-01", "end": "2026-01-31"}
    path = re.sub(r"\{(\w+)\}", lambda blank: given.get(blank[1], "x1"), operation.path)
    body = example_of(spec.get("requestBody", {}).get("content", {}).get(JSON, {}))
    request: dict[str, Any] = {"method": operation.method, "url": base_url + path, "params": query}
    return request if body is None else {**request, "json": body}


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as started:
        yield started


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_right_request_gets_the_answer_of_the_contract(mock: responses.RequestsMock, name: str) -> None:
    calls = add_to(mock, URL)
    answer = requests.request(**right_request(OPERATIONS[name]), headers=TOKEN)
    assert answer.status_code < 300, answer.text
    body = answer.json() if answer.content else None
    assert OPERATIONS[name].check_response(answer.status_code, body) == []
    assert {operation for operation, stub in calls.items() if stub.call_count} == {name}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_without_a_token_or_with_a_wrong_body_is_refused(
    mock: responses.RequestsMock, name: str
) -> None:
    add_to(mock, URL)
    operation, request = OPERATIONS[name], right_request(OPERATIONS[name])
    if operation.authentication == "required":
        assert requests.request(**request).status_code == 401
    if operation.request_schema and not operation.form_schema:
        wrong = requests.request(**{**request, "json": [7]}, headers=TOKEN)
        assert wrong.status_code == 400
        assert operation.check_response(400, wrong.json()) == []
        assert wrong.json()["errors"]
        spoiled = {name: value for name, value in request.items() if name != "json"}
        assert requests.request(**spoiled, data="{", headers=TOKEN).status_code == 400


def test_a_client_submits_to_stubs(
    mock: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = add_to(mock, URL, answers={"files.get_upload_urls": (204, None)})
    monkeypatch.setenv("CONDUCTOR_URL", URL)
    monkeypatch.setenv("CONDUCTOR_API_KEY", json.dumps(CLIENT_KEY))
    monkeypatch.setenv("CONDUCTOR_USER_DIR", str(tmp_path))
    monkeypatch.delenv("CONDUCTOR_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    scene = tmp_path / "scene.ma"
    scene.write_text("scene")
    arguments = {
        "job_title": "a",
        "project": "default",
        "instance_type": "n1-standard-2",
        "output_path": "/proj/out",
        "tasks_data": [{"command": "render -f 1", "frames": "1"}],
        "upload_paths": [str(scene)],
    }
    answer, status = Submit(arguments).main()
    assert status == 201
    (stub,) = stubs(URL, only=["jobs.create"])
    assert answer == stub.answer[1]
    assert calls["jobs.create"].call_count == 1
    assert calls["files.get_upload_urls"].call_count == 1


def test_answers_can_be_others_and_only_those_that_the_contract_knows(mock: responses.RequestsMock) -> None:
    add_to(mock, URL, only=["projects.list"], answers={"projects.list": (503, error("not now"))})
    answer = requests.get(f"{URL}/api/v1/projects/", headers=TOKEN)
    assert (answer.status_code, answer.json()["message"]) == (503, "not now")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{URL}/api/v1/jobs", headers=TOKEN)
    with pytest.raises(ValueError, match=r"'jobs\.destroy'"):
        stubs(URL, only=["jobs.destroy"])
    with pytest.raises(ValueError, match=r"jobs\.create: the answer .*has status 200"):
        stubs(URL, answers={"jobs.create": (200, {})})
    with pytest.raises(ValueError, match=r"jobs\.create: the answer /body is required"):
        stubs(URL, answers={"jobs.create": (201, {"jobid": 7})})


def test_urls_of_answers_lead_to_the_stubs() -> None:
    for one in stubs("http://elsewhere.test:81/"):
        text = json.dumps(one.answer[1])
        assert "127.0.0.1:8089" not in text
    (upload,) = stubs(URL, only=["files.get_upload_urls"])
    assert f"{URL}/objects/" in json.dumps(upload.answer[1])


def test_the_module_needs_nothing_but_responses(mock: responses.RequestsMock) -> None:
    result = CliRunner().invoke(main, ["stubs", "--url", URL])
    assert result.exit_code == 0
    assert result.output == module_text(URL)
    assert "conductor_contracts" not in result.output.partition("import re")[2]
    names: dict[str, Any] = {}
    exec(compile(result.output, "stubs", "exec"), names)
    calls = names["add_to"](mock)
    assert set(calls) == set(OPERATIONS)
    for name, operation in OPERATIONS.items():
        assert requests.request(**right_request(operation), headers=TOKEN).status_code < 300, name
        assert calls[name].call_count == 1, name


def test_the_command_takes_operations_that_there_are() -> None:
    result = CliRunner().invoke(main, ["stubs", "--format", "wiremock", "--only", "jobs.create"])
    mappings = json.loads(result.output)["mappings"]
    assert {one["response"]["status"] for one in mappings} == {201, 400, 401}
    assert {one["request"]["urlPathPattern"] for one in mappings} == {"/jobs/"}
    assert CliRunner().invoke(main, ["stubs", "--only", "jobs.creat"]).exit_code == 2


@pytest.fixture(scope="module")
def wiremock() -> Iterator[str]:
    """A WireMock that serves the mappings; its URL."""
    java = shutil.which("java")
    if not java or not JAR:
        pytest.skip("needs a Java, and the path of a WireMock jar in CONDUCTOR_MOCK_TEST_WIREMOCK")
    command = [java, "-jar", JAR, "--port", "0", "--bind-address", "127.0.0.1", "--disable-banner"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            port = next(found[1] for line in process.stdout if (found := re.match(r"port:\s+(\d+)", line)))
            url = f"http://127.0.0.1:{port}"
            imported = requests.post(
                f"{url}/__admin/mappings/import", json=wiremock_mappings(url), timeout=60
            )
            assert imported.status_code == 200, imported.text
            yield url
        finally:
            process.terminate()


@pytest.mark.slow
def test_wiremock_serves_the_mappings(wiremock: str) -> None:
    for name, operation in OPERATIONS.items():
        request = right_request(operation, wiremock)
        answer = requests.request(**request, headers=TOKEN, timeout=60)
        assert answer.status_code < 300, (name, answer.text)
        body = answer.json() if answer.content else None
        assert operation.check_response(answer.status_code, body) == [], name
        if operation.authentication == "required":
            assert requests.request(**request, timeout=60).status_code == 401, name
        if operation.request_schema and not operation.form_schema:
            wrong = requests.request(**{**request, "json": [7]}, headers=TOKEN, timeout=60)
            assert wrong.status_code == 400, name


@pytest.mark.parametrize(
    "body", [b"\xff", b"[" * 100_000, b"{", iter([b"{}"])], ids=["bytes", "deep", "cut", "stream"]
)
def test_a_body_that_is_no_json_is_refused_and_no_error_of_the_stub(body: Any) -> None:
    with responses.RequestsMock() as mock:
        add_to(mock, URL, only=["jobs.create"])
        answer = requests.post(f"{URL}/jobs/", data=body, headers={**TOKEN, "Content-Type": JSON}, timeout=20)
    assert (answer.status_code, answer.json()["message"]) == (400, "the body is not JSON")
