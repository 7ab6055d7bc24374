"""The command conductor-contracts."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import requests
from click.testing import CliRunner, Result

from conductor_contracts.cli import main
from conductor_contracts.contract import load
from conductor_contracts.fidelity import fidelity_page
from conductor_mock.app import create_app
from conductor_mock.inprocess import URL
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from contracts.lies import operation_of
from contracts.services import Answer, Fake, Service, refusal, small_catalog


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"CONDUCTOR_API_KEY": "", **environment})


@pytest.fixture
def service(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service that every new session talks to."""
    answering = fake.service()
    monkeypatch.setattr(requests.Session, "get_adapter", lambda _session, url: answering)
    return answering


@pytest.fixture
def key(fake: Fake) -> str:
    """What CONDUCTOR_API_KEY holds."""
    return json.dumps(fake.key)


def test_list_names_every_operation() -> None:
    result = run("list")
    assert result.exit_code == 0
    for operation in load().operations.values():
        assert f"{operation.id} " in result.output
        assert operation.path in result.output


def test_show_tells_what_is_known_of_an_operation() -> None:
    result = run("show", "jobs.create")
    assert result.exit_code == 0
    for text in ("POST /jobs/", "tasks_data[].command", "retry NR", "[mission]", "numbers may come as texts"):
        assert text in result.output


def test_show_explains_the_grades_and_tags_that_it_prints() -> None:
    output = run("show", "accounts.get").output
    assert "client    read in the source of a published program" in output
    assert "[companion]  the vendor's desktop app of 2021" in output
    assert "retry direct: one plain request outside the retry wrapper" in output
    assert "[mission]" not in output


def test_show_of_an_unknown_operation_is_bad_input() -> None:
    result = run("show", "jobs.destroy")
    assert result.exit_code == 2
    assert "no operation 'jobs.destroy'" in result.output
    assert "'conductor-contracts list' shows all" in run("show", "xyz").output
    assert "did you mean 'objects.put'?" in run("show", "upload").output


@pytest.mark.parametrize("command", [("show",), ("stubs", "--only"), ("verify", "--url", URL, "--only")])
def test_an_operation_that_is_misspelt_is_told_with_the_one_that_was_meant(command: tuple[str, ...]) -> None:
    result = run(*command, "jobs.lst", CONDUCTOR_API_KEY=json.dumps({"client_id": "a", "private_key": "b"}))
    assert result.exit_code == 2
    assert "'jobs.lst'; did you mean 'jobs.list'?" in result.output


def test_a_server_that_is_not_named_is_asked_for_with_the_variable_that_names_one() -> None:
    result = run("verify")
    assert result.exit_code == 2
    assert "Missing option '--url' (env var: 'CONDUCTOR_URL')" in result.output


def test_fidelity_writes_the_page() -> None:
    result = run("fidelity")
    assert result.exit_code == 0
    assert result.output == fidelity_page(load())


def test_the_package_runs_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conductor_contracts", "list"], capture_output=True, text=True, check=True
    )
    assert "uploads.next" in done.stdout


def test_verify_says_why_it_skips(service: Service, key: str) -> None:
    right = service.answering
    service.answering = lambda request: (
        refusal(404, "no such route") if operation_of(request) == "control" else right(request)
    )
    result = run("verify", "--url", URL, "--allow-writes", "--only", "fileio.fail", CONDUCTOR_API_KEY=key)
    assert result.exit_code == 0, result.output
    skipped = "skipped fileio.fail: a file that could not be fetched is offered again"
    assert f"{skipped} (the server has no control API under /_mock/)" in result.output


def test_verify_of_a_good_service_exits_0_and_shows_each_interaction(service: Service, key: str) -> None:
    result = run("verify", "--url", URL, "--allow-writes", CONDUCTOR_API_KEY=key)
    assert result.exit_code == 0, result.output
    assert "passed  jobs.create: numbers may come as texts" in result.output
    assert result.output.splitlines()[-1].endswith(" passed, 0 failed, 0 skipped")


def test_verify_of_a_broken_service_exits_1_and_shows_the_fault(service: Service, key: str) -> None:
    right = service.answering

    def broken(request: requests.PreparedRequest) -> Answer:
        answer = right(request)
        return answer.with_status(200) if answer.status == 201 else answer

    service.answering = broken
    result = run("verify", "--url", URL, "--allow-writes", "--only", "jobs.create", CONDUCTOR_API_KEY=key)
    assert result.exit_code == 1
    assert "FAILED  jobs.create: numbers may come as texts" in result.output
    assert "status: expected 201, got 200" in result.output


def watched(service: Service) -> list[tuple[str | None, str, int]]:
    """What the service is asked from now on: operation, method and status."""
    right, seen = service.answering, []

    def watching(request: requests.PreparedRequest) -> Answer:
        answer = right(request)
        seen.append((operation_of(request), request.method or "", answer.status))
        return answer

    service.answering = watching
    return seen


@pytest.mark.parametrize("options", [[], ["--safe-only"]], ids=str)
def test_verify_leaves_nothing_behind_unless_it_is_allowed_to(
    service: Service, key: str, options: list[str]
) -> None:
    seen = watched(service)
    result = run("verify", "--url", URL, *options, CONDUCTOR_API_KEY=key)
    assert result.exit_code == 0, result.output
    reason = "it may cost money or leave something behind; --allow-writes plays it"
    assert f"skipped jobs.create: numbers may come as texts ({reason})" in result.output
    made = [one for one in seen if one[0] in ("jobs.create", "objects.put", "jobs.act") and one[2] < 300]
    assert made == []


def test_verify_read_only_asks_questions_that_change_nothing(service: Service, key: str) -> None:
    seen = watched(service)
    result = run("verify", "--url", URL, "--read-only", CONDUCTOR_API_KEY=key)
    assert result.exit_code == 0, result.output
    assert {method for _, method, _ in seen} <= {"GET", "HEAD"}
    assert len({operation for operation, _, _ in seen}) > 10
    assert {"downloads.next", "fileio.next", "uploads.next"}.isdisjoint(one[0] for one in seen)
    assert (
        "skipped downloads.next: nothing to do is an answer without a body (it does more than"
        in result.output
    )


def test_verify_takes_the_server_from_the_environment_and_needs_one(service: Service, key: str) -> None:
    only = ["verify", "--only", "accounts.get"]
    assert run(*only, CONDUCTOR_API_KEY=key, CONDUCTOR_URL=URL).exit_code == 0
    missing = run(*only, CONDUCTOR_API_KEY=key, CONDUCTOR_URL="")
    assert missing.exit_code == 2
    assert "--url" in missing.output
    assert run(*only, "--allow-writes", "--read-only", "--url", URL, CONDUCTOR_API_KEY=key).exit_code == 2


def break_jobs(service: Service) -> None:
    """Let the service answer what XML and terminals cannot hold, where it ought to list jobs."""
    right = service.answering
    service.answering = lambda request: (
        refusal(400, "no\x00t \x1b[31m <today> & so\ufffe on \ud83d\ude00")
        if operation_of(request) == "jobs.list"
        else right(request)
    )


def test_the_report_of_verify_can_be_read_by_programs(service: Service, key: str, tmp_path: Path) -> None:
    break_jobs(service)
    path = tmp_path / "report.xml"
    arguments = ["--only", "jobs.list", "--only", "projects.list", "--json", "--junit", str(path)]
    result = run("verify", "--url", URL, *arguments, CONDUCTOR_API_KEY=key)
    assert result.exit_code == 1
    document = json.loads(result.output)
    counts = {name: document[name] for name in ("passed", "failed", "skipped")}
    assert document["url"] == URL
    assert not document["ok"]
    assert all(counts.values())
    by_outcome = Counter(one["outcome"] for one in document["interactions"])
    assert by_outcome == counts
    failed = [one for one in document["interactions"] if one["outcome"] == "failed"]
    assert {one["operation"] for one in failed} == {"jobs.list"}
    assert any("no\x00t" in one["faults"][0] for one in failed)

    root = ET.parse(path).getroot()
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": str(sum(counts.values())),
        "failures": str(counts["failed"]),
        "skipped": str(counts["skipped"]),
    }
    assert [suite.get("name") for suite in root] == ["jobs.list", "projects.list"]
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert len(cases) == sum(counts.values())
    for one in document["interactions"]:
        (*parts,) = (part.tag for part in cases[one["operation"], one["name"]])
        assert parts == {"passed": [], "failed": ["failure"], "skipped": ["skipped"]}[one["outcome"]]
    told = [str(failure.get("message")) for failure in root.iter("failure")]
    assert any(r"(no\x00t \x1b[31m <today> & so\ufffe on 😀)" in message for message in told)


def test_a_report_that_cannot_be_written_is_bad_input(service: Service, key: str, tmp_path: Path) -> None:
    arguments = ["--only", "accounts.get", "--junit", str(tmp_path / "none" / "report.xml")]
    result = run("verify", "--url", URL, *arguments, CONDUCTOR_API_KEY=key)
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.output


@pytest.mark.parametrize("written", ["as JSON", "in base64", "on lines of its own"])
def test_the_api_key_may_be_a_file_of_json_or_its_base64(
    service: Service, key: str, tmp_path: Path, written: str
) -> None:
    texts = {
        "as JSON": key,
        "in base64": base64.b64encode(key.encode()).decode(),
        "on lines of its own": key.replace('", "', '",\r\n"'),
    }
    path = tmp_path / "key"
    path.write_text(texts[written])
    result = run("verify", "--url", URL, "--only", "accounts.get", "--api-key-file", str(path))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "text", ["", "not a key", '{"client_id": "a"}', '{"client_id": "a", "private_key": 7}', "[]"]
)
def test_a_key_that_is_none_is_bad_input_and_not_quoted(text: str) -> None:
    result = run("verify", "--url", URL, CONDUCTOR_API_KEY=text)
    assert result.exit_code == 2
    assert "CONDUCTOR_API_KEY" in result.output
    assert 'private_key": 7' not in result.output


def test_a_missing_key_file_is_bad_input() -> None:
    assert run("verify", "--url", URL, "--api-key-file", "/nowhere/key").exit_code == 2


def test_an_unknown_operation_to_verify_is_bad_input(service: Service, key: str) -> None:
    result = run("verify", "--url", URL, "--only", "jobs.destroy", CONDUCTOR_API_KEY=key)
    assert result.exit_code == 2
    assert "'jobs.destroy'" in result.output


def test_a_refused_key_is_one_clear_line(fake: Fake, service: Service) -> None:
    wrong = json.dumps({**fake.key, "private_key": "another"})
    result = run("verify", "--url", URL, CONDUCTOR_API_KEY=wrong)
    assert result.exit_code == 1
    assert result.output == "Error: the token endpoint answered 401, wanted 200 and a token\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals there")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_verify_that_is_ended_by_a_signal_leaves_nothing(tmp_path: Path, number: str) -> None:
    settings = Settings(ephemeral=True, catalog=small_catalog(tmp_path))
    with Server(create_app(settings)) as server:
        command = [sys.executable, "-u", "-m", "conductor_contracts", "verify", "--allow-writes"]
        with subprocess.Popen(
            command,
            env={**os.environ, **server.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if b"jobs.create" in line:
                    break
            process.send_signal(getattr(signal, number))
            process.stdout.read()
        assert process.returncode > 0
        held = requests.get(f"{server.url}/_mock/jobs?account=*", timeout=60).json()
        assert held["jobs"] == []
