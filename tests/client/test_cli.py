"""The conductor command: what it prints, and what it exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import responses
from click.testing import CliRunner, Result

from conductor.cli import COMMANDS, cli
from conductor.lib.arguments import ARGUMENTS
from support.client_world import URL, md5_of
from support.fake_service import PRIVATE_KEY, FakeService

JOB = {
    "job_title": "T",
    "instance_type": "n1-standard-1",
    "output_path": "/out",
    "tasks_data": [{"command": "render", "frames": "8"}],
}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """The service, and an environment that points at it."""
    fake = FakeService(packages=[{"package_id": "id-b", "relative_path": "b/2"}, {"package_id": "id-a"}])
    monkeypatch.setenv("CONDUCTOR_URL", URL)
    monkeypatch.setenv("CONDUCTOR_API_KEY", json.dumps({"client_id": "c", "private_key": PRIVATE_KEY}))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake.install(mock)
        mock.add("GET", f"{URL}/api/v1/instance-types", json={"data": [{"name": "n1", "cores": 1}]})
        projects = [{"name": "film", "status": "active"}, {"name": "old", "status": "inactive"}]
        mock.add("GET", f"{URL}/api/v1/projects/", json={"data": projects})
        yield fake


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["--quiet", *words])


def write(tmp_path: Path, name: str, text: str) -> str:
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


@pytest.mark.parametrize("name", ["job.json", "job.yml"])
def test_a_job_is_submitted_from_a_file(service: FakeService, tmp_path: Path, name: str) -> None:
    done = run("submit", "--file", write(tmp_path, name, json.dumps(JOB)))
    assert (done.exit_code, done.stdout) == (0, "submitted job 00001 (201)\n")
    assert service.jobs[0]["job_title"] == "T"


def test_options_win_over_the_file_and_can_be_the_whole_job(service: FakeService, tmp_path: Path) -> None:
    file = write(tmp_path, "job.json", json.dumps(JOB))
    done = run(
        *("submit", "--file", file, "--title", "O", "--priority", "7", "--preemptible", "--json"),
        *("--notify", "a@b", "--notify", "c@d", "--environment", "A=1=2", "--environment", "B="),
        *("--metadata", "shot=x", "--autoretry-policy", '{"failed": {"max_retries": 1}}'),
        *("--scout-frames", "1,2", "--tasks-data", '[{"command": "other"}]'),
    )
    assert done.exit_code == 0
    assert json.loads(done.stdout)["status_code"] == 201
    assert json.loads(done.stdout)["response"]["jobid"] == "00001"
    [sent] = service.jobs
    assert (sent["job_title"], sent["priority"], sent["preemptible"]) == ("O", 7, True)
    assert sent["notify"] == {"emails": ["a@b", "c@d"]}
    assert sent["environment"] == {"A": "1=2", "B": ""}
    assert (sent["metadata"], sent["scout_frames"]) == ({"shot": "x"}, "1,2")
    assert (sent["autoretry_policy"], sent["tasks_data"]) == (
        {"failed": {"max_retries": 1}},
        [{"command": "other"}],
    )


def test_every_argument_has_an_option() -> None:
    shown = run("submit", "--help").stdout
    for argument in ARGUMENTS:
        assert f"--{argument.name.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--priority", "high"], "priority: given 'high'"),
        (["--environment", "A"], "--environment"),
        (["--tasks-data", "{"], "--tasks-data"),
        (["--nonsense", "1"], "No such option"),
        (["--upload-paths", "/gone"], "'/gone' does not exist"),
        (["--file", "/gone.yml"], "/gone.yml cannot be read"),
    ],
)
def test_bad_input_is_explained_and_exits_with_2(
    service: FakeService, tmp_path: Path, words: list[str], reason: str
) -> None:
    done = run("submit", "--file", write(tmp_path, "job.json", json.dumps(JOB)), *words)
    assert done.exit_code == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert service.jobs == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("j.json", "{"), ("j.json", "[" * 100_000), ("j.yml", "a: b: c"), ("j.yml", "- a"), ("j.yml", "a: 1")],
)
def test_a_job_file_that_holds_no_job_exits_with_2(
    service: FakeService, tmp_path: Path, name: str, text: str
) -> None:
    done = run("submit", "--file", write(tmp_path, name, text))
    assert done.exit_code == 2
    assert done.stderr.startswith("conductor: ")


def test_a_refused_key_exits_with_3(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONDUCTOR_API_KEY")
    done = run("packages")
    assert done.exit_code == 3
    assert done.stderr.startswith("conductor: no API key is configured")
    assert done.stderr.count("\n") == 1


def test_an_unknown_outcome_exits_with_4(service: FakeService, tmp_path: Path) -> None:
    service.job_status = 500
    done = run("submit", "--file", write(tmp_path, "job.json", json.dumps(JOB)))
    assert done.exit_code == 4
    assert "look for a job titled 'T'" in done.stderr


def test_a_service_that_cannot_be_understood_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_URL", URL)
    monkeypatch.setenv("CONDUCTOR_API_KEY", json.dumps({"client_id": "c", "private_key": PRIVATE_KEY}))
    with responses.RequestsMock() as mock:
        mock.add("GET", f"{URL}/api/oauth_jwt", body="<html>")
        done = run("projects")
    assert done.exit_code == 1
    assert "not JSON" in done.stderr


def test_bad_settings_exit_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_URL", "nonsense")
    done = CliRunner().invoke(cli, ["projects"])
    assert done.exit_code == 2
    assert "CONDUCTOR_URL" in done.stderr


@pytest.mark.parametrize(
    ("words", "text", "records"),
    [
        (
            ["packages"],
            "package_id  relative_path  platform\nid-a\nid-b        b/2\n",
            [{"package_id": "id-a"}, {"package_id": "id-b", "relative_path": "b/2"}],
        ),
        (["projects"], "name  status\nfilm  active\n", [{"name": "film", "status": "active"}]),
        (
            ["instance-types"],
            "name  cores  memory  operating_system  description\nn1    1\n",
            [{"name": "n1", "cores": 1}],
        ),
    ],
)
def test_lists_are_printed_as_columns_or_as_json(
    service: FakeService, words: list[str], text: str, records: list[dict[str, Any]]
) -> None:
    assert run(*words).stdout == text
    assert json.loads(run(*words, "--json").stdout) == records


def test_all_projects_can_be_asked_for(service: FakeService) -> None:
    assert "inactive" in run("projects", "--all").stdout


def test_files_are_uploaded_by_relative_paths_too(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.txt", "abc")
    monkeypatch.chdir(tmp_path)
    service.held = {md5_of(b"old")}
    old = write(tmp_path, "old.txt", "old")
    done = run("upload", "a.txt", old, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "files": [
            {"path": str(tmp_path / "a.txt"), "size": 3, "md5": md5_of(b"abc"), "sent": True},
            {"path": old, "size": 3, "md5": md5_of(b"old"), "sent": False},
        ],
        "bytes_sent": 3,
    }
    assert service.batches[0]["project"] is None
    assert run("upload", old).stdout == "0 files sent (0 bytes), 1 already there\n"


def test_the_log_says_as_much_as_was_asked_for(service: FakeService) -> None:
    assert "packages.list -> 200" in CliRunner().invoke(cli, ["--verbose", "packages"]).stderr
    assert CliRunner().invoke(cli, ["packages"]).stderr == ""


def test_an_interrupt_is_no_traceback(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("conductor.lib.api_client.request_software_packages", interrupted)
    done = run("packages")
    assert (done.exit_code, done.stderr) == (130, "conductor: interrupted\n")


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conductor", "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.startswith("conductor, version ")


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    ctx = click.Context(cli)
    for name, listed in COMMANDS.items():
        command = cli.get_command(ctx, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(limit=200) == listed.help


def test_an_unknown_command_is_bad_input() -> None:
    done = run("sumbit")
    assert (done.exit_code, "No such command 'sumbit'" in done.stderr) == (2, True)


def test_the_help_loads_no_command_and_no_network(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom conductor.cli import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        "print(*sorted(sys.modules), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    loaded = set(done.stdout.splitlines())
    assert "conductor.commands.failures" in loaded
    assert not {"conductor.commands.submit", "requests", "rich", "yaml", "importlib.metadata"} & loaded
