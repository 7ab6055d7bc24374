"""The conductor command: what it prints, and what it exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import click
import pytest
import responses

from conductor import commands
from conductor.__main__ import YOUNG_OBJECTS
from conductor.cli import COMMANDS, cli
from conductor.lib.submission.arguments import ARGUMENTS
from support.client_world import URL, md5_of
from support.command_line import run, runner, service_of_commands
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
    with service_of_commands(monkeypatch, fake) as mock:
        mock.add("GET", f"{URL}/api/v1/instance-types", json={"data": [{"name": "n1", "cores": 1}]})
        projects = [{"name": "film", "status": "active"}, {"name": "old", "status": "inactive"}]
        mock.add("GET", f"{URL}/api/v1/projects/", json={"data": projects})
        yield fake


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


def test_tasks_are_given_one_by_one_or_as_lists(service: FakeService, tmp_path: Path) -> None:
    file = write(tmp_path, "job.json", json.dumps(JOB))
    words = ('{"command": "a"}', '[{"command": "b"}, {"command": "c"}]', '{"command": "d"}')
    done = run("submit", "--file", file, *(part for word in words for part in ("--tasks-data", word)))
    assert done.exit_code == 0
    assert [task["command"] for task in service.jobs[0]["tasks_data"]] == ["a", "b", "c", "d"]

    done = run("submit", "--file", file, "--tasks-data", words[0], "--tasks-data", "{command: e}")
    assert done.exit_code == 2
    assert "tasks_data: given '{command: e}' (not JSON)" in done.stderr


def test_every_argument_has_an_option() -> None:
    shown = run("submit", "--help").stdout
    for argument in ARGUMENTS:
        assert f"--{argument.name.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--priority", "high"], "priority: given 'high'"),
        (["--environment", "A"], "environment: given 'A' (text without =)"),
        (["--tasks-data", "{"], "tasks_data: given '{' (not JSON)"),
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


@pytest.mark.usefixtures("at_once")
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
    done = runner().invoke(cli, ["projects"])
    assert done.exit_code == 2
    assert "CONDUCTOR_URL" in done.stderr


@pytest.mark.parametrize(
    ("words", "text", "records"),
    [
        (
            ["packages"],
            (
                "package_id  product  version  platform  relative_path\n"
                "id-b                          linux     b/2\nid-a                          linux\n"
            ),
            [{"package_id": "id-b", "relative_path": "b/2"}, {"package_id": "id-a"}],
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
        "bytes_resumed": 0,
    }
    assert service.batches[0]["project"] is None
    assert run("upload", old).stdout == "0 files sent (0 bytes), 1 already there\n"


def test_conductor_upload_goes_on_with_the_parts_of_a_file_that_are_there(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.part_size = 1000
    large = write(tmp_path, "large.vdb", "x" * 2500)
    service.statuses = {f"{large}#3": [403] * 9}
    monkeypatch.setenv("CONDUCTOR_THREAD_COUNT", "1")
    assert run("upload", large).exit_code == 2
    service.statuses = {}
    done = json.loads(run("upload", large, "--json").stdout)
    assert (done["bytes_sent"], done["bytes_resumed"]) == (500, 2000)
    monkeypatch.setenv("CONDUCTOR_MD5_CACHING", "false")
    assert json.loads(run("upload", large, "--json").stdout)["bytes_resumed"] == 0


def test_the_log_says_as_much_as_was_asked_for(service: FakeService) -> None:
    assert "packages.list -> 200" in runner().invoke(cli, ["--verbose", "packages"]).stderr
    assert runner().invoke(cli, ["packages"]).stderr == ""


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


def test_every_command_of_a_module_is_listed_or_belongs_to_a_group() -> None:
    ctx = click.Context(cli)
    listed = {cli.get_command(ctx, name) for name in COMMANDS}
    inner = {
        command for group in listed if isinstance(group, click.Group) for command in group.commands.values()
    }
    modules = [
        import_module(f"conductor.commands.{module.name}") for module in iter_modules(commands.__path__)
    ]
    written = {
        value for module in modules for value in vars(module).values() if isinstance(value, click.Command)
    }

    assert len(written) > 20
    assert written == listed | inner, "a command needs its line in COMMANDS of conductor/cli.py"


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


def test_an_upload_loads_no_tables_and_looks_for_cycles_seldom(tmp_path: Path) -> None:
    code = (
        "import gc, sys\nfrom conductor.__main__ import main\n"
        "try: main()\nexcept SystemExit as end: print(end.code, gc.get_threshold()[0])\n"
        "print(*sorted(sys.modules), sep='\\n')"
    )
    words = [sys.executable, "-c", code, "upload", write(tmp_path, "no.ma", "abc") + ".not"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    ended, *loaded = done.stdout.splitlines()
    assert ended == f"2 {YOUNG_OBJECTS}", done.stderr
    assert "conductor.lib.uploader" in loaded
    assert not {"conductor.commands.tables", "rich", "PIL", "filelock", "platformdirs"} & set(loaded)


def test_a_dry_run_prints_the_payload_and_sends_nothing(service: FakeService, tmp_path: Path) -> None:
    file, scene = write(tmp_path, "job.json", json.dumps(JOB)), write(tmp_path, "a.ma", "abc")
    words = ("submit", "--file", file, "--upload-paths", scene, "--owner", "kim")
    dry = run(*words, "--dry-run", "--json")
    assert (dry.exit_code, service.jobs, service.batches, service.tokens) == (0, [], [], [])
    assert run(*words).exit_code == 0
    shown, [sent] = json.loads(dry.stdout), service.jobs
    assert shown["upload_files"][0]["md5"] == md5_of(b"abc")
    for payload in (shown, sent):
        payload["upload_files"][0].pop("st_atime")
    assert shown == sent


def test_a_dry_run_for_a_daemon_takes_no_md5s(service: FakeService, tmp_path: Path) -> None:
    file, scene = write(tmp_path, "job.json", json.dumps(JOB)), write(tmp_path, "a.ma", "abc")
    dry = run("submit", "--file", file, "--upload-paths", scene, "--no-local-upload", "--dry-run")
    assert json.loads(dry.stdout)["upload_files"][0]["md5"] is None
    assert dry.stdout.count("\n") > 20


def test_a_dry_run_needs_neither_key_nor_service(tmp_path: Path) -> None:
    dry = run("submit", "--file", write(tmp_path, "job.json", json.dumps(JOB)), "--dry-run")
    assert (dry.exit_code, json.loads(dry.stdout)["job_title"]) == (0, "T")


def test_relative_paths_to_upload_are_those_of_the_current_directory(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.ma", "abc")
    write(tmp_path, "im.0001.exr", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOT", str(tmp_path))
    done = run(
        *("submit", "--file", write(tmp_path, "job.json", json.dumps(JOB))),
        *("--upload-paths", "a.ma", "--upload-paths", "im.####.exr", "--upload-paths", "$SHOT/a.ma"),
    )
    assert done.exit_code == 0
    paths = {file["destination"] for file in service.jobs[0]["upload_files"]}
    assert paths == {str(tmp_path / "a.ma"), str(tmp_path / "im.0001.exr")}


def test_an_option_that_cannot_be_read_hides_no_other_fault(service: FakeService) -> None:
    done = run("submit", "--tasks-data", "{", "--priority", "high", "--autoretry-policy", "[", "--cores", "2")
    assert done.exit_code == 2
    assert done.stderr.startswith("conductor: 4 arguments are wrong:")
    for fault in (
        *(
            "tasks_data: given '{' (not JSON)",
            "priority: given 'high'",
            "autoretry_policy: given '[' (not JSON)",
        ),
        "output_path: given nothing",
    ):
        assert fault in done.stderr


def test_an_option_sets_aside_every_spelling_in_the_file(service: FakeService, tmp_path: Path) -> None:
    job = {**JOB, "title": "of the file", "scout_frames": "1"}
    del job["job_title"]
    file = write(tmp_path, "job.json", json.dumps(job))
    assert run("submit", "--file", file, "--job-title", "of the option", "--scout-frame", "8").exit_code == 0
    assert (service.jobs[0]["job_title"], service.jobs[0]["scout_frames"]) == ("of the option", "8")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: c: d", "line 2, column 5: mapping values are not allowed here"),
        ("a: \x07", "special characters are not allowed"),
        ("[" * 50_000, "it is nested too deep"),
    ],
)
def test_a_job_file_that_is_no_yaml_is_named_with_the_place(
    service: FakeService, tmp_path: Path, text: str, reason: str
) -> None:
    file = write(tmp_path, "job.yml", text)
    done = run("submit", "--file", file)
    assert (done.exit_code, done.stderr) == (2, f"conductor: {file} is not YAML: {reason}\n")


def test_underscores_may_stand_for_dashes_as_in_2019(service: FakeService, tmp_path: Path) -> None:
    file = write(tmp_path, "job.json", json.dumps(JOB))
    done = run(
        "submit", "--file", file, "--job_title", "two_words", "--scout_frame", "8", "--no-local_upload"
    )
    assert (done.exit_code, service.jobs[0]["job_title"], service.jobs[0]["scout_frames"]) == (
        0,
        "two_words",
        "8",
    )
    assert run("instance_types").stdout == run("instance-types").stdout
