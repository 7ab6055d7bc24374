"""The commands around jobs: what they ask of the service, print and exit with."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
import yaml
from PIL import Image
from rich.console import Console

from conductor import commands
from conductor.cli import COMMANDS
from conductor.commands.common import write_file
from conductor.commands.plot import HEIGHT, WIDTH, bar_chart
from conductor.commands.printing import BROKEN_PIPE
from conductor.commands.wait import bars
from conductor.lib.exceptions import InvalidPathError
from conductor.lib.jobs import Job
from conductor.lib.md5_cache import Md5Cache, default_path
from conductor.lib.polling import Pacer
from support.client_world import URL
from support.command_line import run, service_of_commands

JOBS, TASKS, LOG = f"{URL}/api/v1/jobs", f"{URL}/api/v1/tasks", f"{URL}/get_log_file"


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    """The service's token, and an environment that points at it."""
    with service_of_commands(monkeypatch) as requests_mock:
        yield requests_mock


def job(jid: str, status: str = "running", **more: Any) -> dict[str, Any]:
    times = {"created": "2024-04-10T09:01:02Z"}
    return {"jid": jid, "status": status, "title": f"T{jid}", "tasks": 2, "owner": "kim", **times, **more}


def sent(mock: responses.RequestsMock, method: str = "PUT") -> list[Any]:
    return [json.loads(call.request.body or "") for call in mock.calls if call.request.method == method]


def test_jobs_are_listed_with_how_far_they_are(mock: responses.RequestsMock) -> None:
    mock.add("GET", JOBS, json={"data": [job("00002", success=1, failed=1), job("00001", project="film")]})
    assert run("jobs").stdout.splitlines() == [
        "job    status   tasks          created           project  owner  title",
        "00001  running  0/2            2024-04-10 09:01  film     kim    T00001",
        "00002  running  2/2, 1 failed  2024-04-10 09:01           kim    T00002",
    ]
    assert [record["jid"] for record in json.loads(run("jobs", "--json").stdout)] == ["00001", "00002"]


def test_only_the_last_jobs_are_listed_unless_all_are_asked_for(mock: responses.RequestsMock) -> None:
    mock.add("GET", JOBS, json={"data": [job(f"{number:05}") for number in range(1, 31)]})
    done = run("jobs")
    assert (done.stdout.count("\n"), done.stdout.splitlines()[-1][:5]) == (21, "00030")
    assert done.stderr == "the last 20 of 30 jobs; --limit 0 lists all\n"
    every = run("jobs", "--limit", "0")
    assert (every.stdout.count("\n"), every.stderr) == (31, "")


def test_jobs_can_be_chosen(mock: responses.RequestsMock) -> None:
    records = [job("00001", "failed", project="film"), job("00002", "failed"), job("00003", project="film")]
    mock.add("GET", JOBS, json={"data": records})
    chosen = run("jobs", "1", "3", "--status", "failed", "--status", "running", "--project", "film", "--json")
    assert [record["jid"] for record in json.loads(chosen.stdout)] == ["00001", "00003"]
    assert json.loads(run("jobs", "--since", "2024-04-11", "--json").stdout) == []
    bad = run("jobs", "--since", "yesterday")
    assert (bad.exit_code, "yesterday" in bad.stderr) == (2, True)


def test_tasks_are_listed(mock: responses.RequestsMock) -> None:
    records = [
        {"taskLabel": "001", "status": "running", "frames": "2", "runtime": 3723, "command": "b"},
        {"taskLabel": "000", "status": "success", "frames": "1", "runtime": 61, "command": "a"},
    ]
    mock.add("GET", TASKS, json={"data": records})
    assert run("tasks", "12").stdout.splitlines() == [
        *("task  status   frames  runtime  command", "000   success  1       1:01     a"),
        "001   running  2       1:02:03  b",
    ]
    assert [
        task["taskLabel"] for task in json.loads(run("tasks", "12", "--status", "running", "--json").stdout)
    ] == ["001"]


def test_a_job_without_tasks_is_told_from_one_that_there_is_not(mock: responses.RequestsMock) -> None:
    mock.add("GET", TASKS, json={"data": []})
    mock.add("GET", JOBS, json={"data": [job("00001")]})
    assert run("tasks", "1").exit_code == 0
    gone = run("tasks", "2")
    assert (gone.exit_code, gone.stderr) == (2, "conductor: jobs.list: there is no job 00002\n")


def log(*lines: str, status: str = "running") -> dict[str, Any]:
    return {"logs": [{"log": list(lines)}], "new_num_lines": [len(lines)], "task_status": status}


def test_a_log_is_printed_as_it_is(mock: responses.RequestsMock) -> None:
    mock.add("GET", LOG, json=log("a", "", "b"))
    assert run("logs", "1", "0").stdout == "a\n\nb\n"
    printed = json.loads(run("logs", "1", "0", "--json").stdout)
    assert (printed["lines"], printed["task_status"]) == (["a", "", "b"], "running")


@pytest.mark.parametrize(
    ("flags", "printed"), [([], "a\nb\n"), (["--json"], '{"line": "a"}\n{"line": "b"}\n')]
)
def test_a_log_is_followed_to_its_end(
    mock: responses.RequestsMock, flags: list[str], printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pacer, "pause", lambda *_: None)
    for body in (log("a"), log("b"), log(status="success")):
        mock.add("GET", LOG, json=body)
    done = run("logs", "1", "0", "--follow", *flags)
    assert (done.exit_code, done.stdout) == (0, printed)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["success", "downloaded", "reviewed"], 0),
        (["success", "failed", "killed"], 5),
        (["preempted"], 5),
        (["sync_failed"], 5),
        (["success", "killed"], 6),
    ],
)
def test_waiting_ends_with_a_code_by_how_the_jobs_did(
    mock: responses.RequestsMock, statuses: list[str], code: int
) -> None:
    records = [job(f"{number:05}", status) for number, status in enumerate(statuses, 1)]
    mock.add("GET", JOBS, json={"data": records})
    ids = [record["jid"] for record in records]
    done = run("wait", *ids)
    assert done.exit_code == code
    assert done.stdout == "".join(f"{record['jid']} {record['status']} 0/2 tasks\n" for record in records)
    assert [record["status"] for record in json.loads(run("wait", "--json", *ids).stdout)] == statuses


def test_how_many_tasks_failed_and_which_is_said_of_jobs_that_are_named(mock: responses.RequestsMock) -> None:
    record = job("00001", "failed", tasks=20, success=15, downloaded=1, failed=1, killed=2, preempted=1)
    mock.add("GET", JOBS, json={"data": [record]})
    ends = {"003": "failed", "007": "killed", "011": "killed", "012": "preempted", "001": "success"}
    mock.add("GET", TASKS, json={"data": [{"taskLabel": tid, "status": end} for tid, end in ends.items()]})
    told = "20/20{}, 1 failed, 1 preempted, 2 killed: 003, 007, 011, 012"
    assert run("wait", "1").stdout == f"00001 failed {told.format(' tasks')}\n"
    assert told.format("") in run("jobs", "1").stdout
    asked = len(mock.calls)
    assert "20/20, 1 failed, 1 preempted, 2 killed  " in run("jobs").stdout
    assert len(mock.calls) == asked + 1, "no request for each job of a list"


def test_of_many_tasks_that_failed_the_first_are_named(mock: responses.RequestsMock) -> None:
    mock.add("GET", JOBS, json={"data": [job("00001", "failed", tasks=50, failed=50)]})
    mock.add("GET", TASKS, json={"data": [{"taskLabel": f"{n:03}", "status": "failed"} for n in range(50)]})
    assert run("wait", "1").stdout.endswith(
        ", 50 failed: 000, 001, 002, 003, 004, 005, 006, 007, 008, 009 and 40 more\n"
    )


def test_a_job_has_failed_even_where_nobody_says_which_tasks(mock: responses.RequestsMock) -> None:
    mock.add("GET", JOBS, json={"data": [job("00001", "failed", success=1, failed=1)]})
    mock.add("GET", TASKS, status=404, json={"status": "error", "message": "no such thing"})
    done = run("wait", "1")
    assert (done.exit_code, done.stdout) == (5, "00001 failed 2/2 tasks, 1 failed\n")
    assert "which tasks of job 00001 is not known: tasks.list" in done.stderr


def test_a_terminal_shows_a_bar_for_each_job() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    with bars(console) as show:
        show([Job.from_record(job("00001", "pending"))])
        show([Job.from_record(job("00001", "running", success=1)), Job.from_record(job("00002", "holding"))])
    shown = stream.getvalue()
    assert re.search(r"job 00001 .* 0/2 +pending", shown)
    assert re.search(r"job 00001 .* 1/2 +running", shown)
    assert re.search(r"job 00002 .* 0/2 +holding", shown)
    assert "0/100" not in shown


def test_waiting_no_longer_than_it_may_is_an_exit_code_of_its_own(mock: responses.RequestsMock) -> None:
    mock.add("GET", JOBS, json={"data": [job("00001", success=1)]})
    done = run("wait", "1", "--timeout", "0")
    assert (done.exit_code, done.stdout) == (124, "")
    assert done.stderr == "job 00001 running 1/2 tasks\nconductor: job 00001 has not ended after 0 s\n"


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (["kill"], "kill"),
        (["hold"], "hold"),
        (["unhold"], "unhold"),
        (["unhold", "--scouts"], "release_scouts"),
        (["retry"], "retry"),
        (["retry", "--failed"], "retry_failed"),
        (["retry", "--preempted"], "retry_preempted"),
        (["retry", "--sync"], "retry_sync"),
    ],
)
def test_jobs_are_acted_on(mock: responses.RequestsMock, words: list[str], action: str) -> None:
    mock.add("PUT", f"{URL}/jobs_multi", json={"body": "success", "message": "2 jobs"})
    assert run(*words, "1", "00002").stdout == "2 jobs\n"
    assert json.loads(run(*words, "1", "2", "--json").stdout) == {"action": action, "message": "2 jobs"}
    assert sent(mock) == [{"action": action, "jobids": ["00001", "00002"]}] * 2


@pytest.mark.parametrize(
    ("words", "message", "said"),
    [
        (["kill", "1"], "Jobs [u'00001'] have been kill.", "job 00001 was killed"),
        (["kill", "1", "2"], "Jobs [u'00002'] have been kill.", "job 00002 was killed"),
        (["hold", "1", "2"], "Jobs [u'00001', u'00002'] have been hold.", "jobs 00001 and 00002 were held"),
        (
            ["unhold", "--scouts", "2"],
            "Jobs [u'00002'] have been release_scouts.",
            "the tasks of job 00002 that waited for scouts were released",
        ),
        (
            ["retry", "--failed", "1", "2"],
            "Jobs [u'00001', u'00002'] have been retry_failed.",
            "the failed tasks of jobs 00001 and 00002 were started again",
        ),
        (
            ["kill", "1", "--task-id", "3"],
            ' 1 Tasks set to "kill"\n\t003',
            "task 003 of job 00001 was killed",
        ),
        (
            ["retry", "1", "--task-id", "3-4"],
            ' 2 Tasks set to "retry"\n\t003\n\t004',
            "tasks 003 and 004 of job 00001 were started again",
        ),
        (["kill", "1"], "one of them", "one of them"),
    ],
)
def test_what_an_action_did_is_a_whole_sentence(
    mock: responses.RequestsMock, words: list[str], message: str, said: str
) -> None:
    path = "/tasks_multi" if "--task-id" in words else "/jobs_multi"
    mock.add("PUT", f"{URL}{path}", json={"body": "success", "message": message})
    assert run(*words).stdout == f"{said}\n"


@pytest.mark.parametrize("option", ["--task-id", "--task_id"])
def test_tasks_are_acted_on_by_numbers_and_ranges(mock: responses.RequestsMock, option: str) -> None:
    mock.add("PUT", f"{URL}/tasks_multi", json={"body": "success", "message": "done"})
    assert run("kill", "1", option, "003,7", option, "10-14x2").stdout == "done\n"
    assert sent(mock) == [
        {"action": "kill", "jobid": "00001", "taskids": ["003", "007", "010", "012", "014"]}
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["kill", "x"], "job: given 'x'; accepted: a job id such as"),
        (["kill"], "Missing argument"),
        (["kill", "1", "2", "--task-id", "3"], "JOB: given 2 jobs; accepted: one job, with --task-id"),
        (["kill", "1", "--task-id", "a"], "--task-id: given 'a'"),
        (["kill", "1", "--task-id", ""], "--task-id: given ''"),
        (["kill", "1", "--task-id=-3"], "--task-id: given '-3'"),
        (["kill", "1", "--task-id", "0-999999999"], "--task-id: given"),
        (["retry", "1", "--failed", "--task-id", "3"], "action: given 'retry_failed'; accepted: one of kill"),
        (["logs", "1", "x"], "task: given 'x'"),
        (["wait", "1", "--interval", "0"], "--interval"),
        (["wait", "1", "--interval", "nan"], "--interval"),
        (["wait", "1", "--interval", "1e999"], "--interval"),
        (["wait", "1", "--timeout", "nan"], "--timeout"),
        (["login", "--timeout", "inf"], "--timeout"),
        (["uploader", "--max-idle", "nan"], "--max-idle"),
        (["downloader", "--max-idle", "nan"], "--max-idle"),
        (["usage", "--since", "2024-02-02", "--until", "2024-02-01"], "a day that is not before 2024-02-02"),
        (["packages", "--platform", "amiga"], "amiga"),
        (["completion", "tcsh"], "tcsh"),
        (["catalog", "export", "/gone/c.json"], "/gone/c.json cannot be written: No such file"),
    ],
)
def test_bad_input_is_explained_and_exits_with_2(
    mock: responses.RequestsMock, words: list[str], reason: str
) -> None:
    for path in ("instance-types", "projects/", "integrations/env-vars-configs"):
        mock.add("GET", f"{URL}/api/v1/{path}", json={"data": []})
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert reason in done.stderr
    assert sent(mock) == []


@pytest.fixture
def packages() -> list[dict[str, Any]]:
    host = {
        "package_id": "h",
        "product": "maya-io",
        "major_version": "2023",
        "platform": "linux",
        "plugins": ["p"],
    }
    plugin = {
        "package_id": "p",
        "product": "arnold|maya",
        "major_version": "7",
        "plugin_host_product": "maya-io",
    }
    return [host, plugin, {**host, "package_id": "w", "platform": "windows", "plugins": []}]


def test_packages_are_listed_as_a_tree_and_as_markdown(
    mock: responses.RequestsMock, packages: list[dict[str, Any]]
) -> None:
    mock.replace("GET", f"{URL}/api/v1/ee/packages", json={"data": packages})
    assert run("packages", "--tree").stdout == (
        "maya-io 2023 linux  h\n  arnold|maya 7 linux  p\nmaya-io 2023 windows  w\n"
    )
    assert run("packages", "--markdown", "--platform", "linux").stdout.splitlines() == [
        *("# Software", "", "## maya-io 2023 linux", "", "`h`", ""),
        *("| plugin | version | platform | package id |", "|---|---|---|---|"),
        "| arnold\\|maya | 7 | linux | `p` |",
    ]
    [tree] = json.loads(run("packages", "--tree", "--json", "--product", "arnold|maya").stdout)
    assert (tree["package_id"], tree["plugins"]) == ("p", [])
    listed = json.loads(run("packages", "--product", "maya-io", "--platform", "windows", "--json").stdout)
    assert listed == [packages[2]]


USAGE = [
    {
        "start_time": "Wed, 10 Apr 2024 07:00:00 GMT",
        "minutes": 60,
        "cores": 2,
        "instance_cost": 1,
        "license_cost": 0.5,
    },
    {"start_time": "Wed, 10 Apr 2024 08:00:00 GMT", "minutes": 30, "cores": 1, "instance_cost": 0.25},
    {"start_time": "Fri, 12 Apr 2024 08:00:00 GMT", "minutes": 1, "cores": 1, "instance_cost": 3.5},
]
DAYS = ("--since", "2024-04-10", "--until", "2024-04-12")


def test_usage_is_added_up_by_day(mock: responses.RequestsMock) -> None:
    mock.add("GET", f"{URL}/billing/get_usage", json={"data": USAGE})
    assert [line.split() for line in run("usage", *DAYS).stdout.splitlines()] == [
        ["day", "minutes", "core_hours", "instance_cost", "license_cost", "cost", "currency"],
        ["2024-04-10", "90.00", "3.00", "1.25", "0.50", "1.75", "USD"],
        ["2024-04-12", "1.00", "1.00", "3.50", "0.00", "3.50", "USD"],
        ["total", "91.00", "4.00", "4.75", "0.50", "5.25", "USD"],
    ]
    assert [row["cost"] for row in json.loads(run("usage", *DAYS, "--json").stdout)] == [1.75, 3.5]


def test_usage_is_drawn_with_the_days_on_which_nothing_ran(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    mock.add("GET", f"{URL}/billing/get_usage", json={"data": USAGE})
    lines = run("usage", *DAYS, "--plot").stdout.splitlines()
    bars = [line.count("█") for line in lines]
    assert [line.split()[:3] for line in lines] == [
        ["2024-04-10", "1.75", "USD"],
        ["2024-04-11", "0.00", "USD"],
        ["2024-04-12", "3.50", "USD"],
    ]
    assert (bars[1], bars[2] // 2, bars[2] > 10) == (0, bars[0], True)
    picture = tmp_path / "u.png"
    done = run("usage", *DAYS, "--png", str(picture))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"wrote {picture}\n")
    with Image.open(picture) as image:
        assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))


def test_storage_is_listed_by_day(mock: responses.RequestsMock) -> None:
    record = {"cost_per_day": [0.5, 1], "gibs_per_day": [10, 20], "currency": "EUR"}
    mock.add("GET", f"{URL}/billing/get_storage_usage", json={"data": [record]})
    assert [line.split() for line in run("usage", "--storage", *DAYS).stdout.splitlines()] == [
        ["day", "gib", "cost", "currency"],
        ["2024-04-10", "10.00", "0.50", "EUR"],
        ["2024-04-11", "20.00", "1.00", "EUR"],
        ["total", "30.00", "1.50", "EUR"],
    ]


def bars_in(png: bytes) -> int:
    """How many pixels of a chart are bars."""
    with Image.open(io.BytesIO(png)) as image:
        return sum(count for count, colour in image.getcolors(1 << 16) or () if colour == (54, 112, 180))


def test_a_chart_shows_what_it_is_given() -> None:
    assert bars_in(bar_chart([], "")) == bars_in(bar_chart([("a", 0.0), ("b", 0.0)], "")) == 0
    equal = bars_in(bar_chart([("a", 5.0), ("b", 5.0)], ""))
    half = bars_in(bar_chart([("a", 5.0), ("b", 2.5)], ""))
    assert 0.74 < half / equal < 0.76
    many = [(str(number), 1e-9 if number else 1.0) for number in range(3000)]
    assert bars_in(bar_chart(many, "")) >= WIDTH - 100


def answer_catalog(mock: responses.RequestsMock) -> None:
    mock.add("GET", f"{URL}/api/v1/projects/", json={"data": [{"name": "é", "status": "active"}]})
    mock.add("GET", f"{URL}/api/v1/instance-types", json={"data": [{"name": "m"}]})
    mock.add("GET", f"{URL}/api/v1/integrations/env-vars-configs", json={"data": []})


def test_a_catalog_is_written_as_json_or_yaml_and_never_over_a_file(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    answer_catalog(mock)
    expected = {
        "packages": [],
        "projects": [{"name": "é", "status": "active"}],
        "instance_types": [{"name": "m"}],
        "env_vars_configs": [],
    }
    written, other = tmp_path / "c.json", tmp_path / "c.yml"
    done = run("catalog", "export", str(written))
    assert done.stdout == f"wrote {written}: 0 packages, 1 projects, 1 instance types, 0 env vars configs\n"
    assert json.loads(run("catalog", "export", str(other), "--json").stdout)["projects"] == 1
    assert json.loads(written.read_text()) == yaml.safe_load(other.read_text(encoding="utf-8")) == expected
    assert json.loads(run("catalog", "export", "-").stdout) == expected
    again = run("catalog", "export", str(written))
    assert (again.exit_code, "is there already; --force" in again.stderr) == (2, True)
    assert run("catalog", "export", str(written), "--force").exit_code == 0
    assert sorted(tmp_path.iterdir()) == sorted([written, other, *tmp_path.glob("home")])


def test_settings_are_shown_with_where_they_came_from(
    mock: responses.RequestsMock, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".conductor").mkdir()
    file = home / ".conductor/config.yml"
    file.write_text("priority: 3\nnotify: [a@b]\nlog_level: ERROR\napi_key_path: /nowhere\n")
    monkeypatch.setenv("CONDUCTOR_PRIORITY", "7")
    done = run("config", "show", "--json")
    shown = {row["name"]: (row["value"], row["source"]) for row in json.loads(done.stdout)}
    assert shown["url"] == (URL, "CONDUCTOR_URL")
    assert shown["api_url"] == (URL, "from url")
    assert shown["api_key"] == ("***", "CONDUCTOR_API_KEY")
    assert shown["priority"] == (7, "CONDUCTOR_PRIORITY")
    assert shown["notify"] == (["a@b"], str(file))
    assert shown["log_level"] == ("ERROR", str(file))
    assert shown["chunk_size"] == (1, "default")
    assert shown["thread_count"][1] == "default"
    assert "private-key-bytes" not in done.stdout + run("config", "show").stdout
    assert re.search(
        r'^notify +\["a@b"\] +' + re.escape(str(file)), run("config", "show").stdout, re.MULTILINE
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_asks_the_command(shell: str) -> None:
    assert "_CONDUCTOR_COMPLETE" in run("completion", shell).stdout


def test_the_command_line_completes_commands_and_options(tmp_path: Path) -> None:
    def completed(words: str, count: int) -> list[str]:
        env = {
            **os.environ,
            "_CONDUCTOR_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(count),
        }
        command = [sys.executable, "-m", "conductor"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path, check=True)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("conductor un", 1) == ["unhold"]
    assert completed("conductor retry --pre", 2) == ["--preempted"]


def test_a_reader_that_has_gone_is_no_error_message(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        command = [sys.executable, "-m", "conductor", "config", "show", "--json"]
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
        )
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, "")


ASKING = (
    *(
        ("jobs",),
        ("tasks", "1"),
        ("logs", "1", "0"),
        ("logs", "1", "0", "--follow"),
        ("wait", "1", "--timeout", "0"),
    ),
    *(("kill", "1"), ("hold", "1"), ("unhold", "1"), ("retry", "1", "--task-id", "0"), ("packages",)),
    *(("packages", "--tree"), ("packages", "--markdown"), ("projects", "--all"), ("instance-types",)),
    *(("usage",), ("usage", "--storage"), ("usage", "--plot"), ("catalog", "export", "-")),
)
TRIED_ELSEWHERE = {"completion", "config", "download", "downloader", "login", "submit", "upload", "uploader"}
"""Commands that ask for more than records, or for nothing."""
STRANGE = (
    *(
        "<html>",
        "[]",
        "null",
        "{}",
        '{"data": [{}]}',
        '{"data": [1]}',
        '{"data": [{"jid": 1, "tasks": "x"}]}',
    ),
    '{"data": [{"jid": "00001", "created": 5, "title": {"a": 1}, "running": "many", "total_runtime": "NaN"}]}',
    '{"data": [{"package_id": null, "product": 7, "plugins": "xy", "platform": 3, "major_version": [1]}]}',
    '{"logs": [{"log": [null, 3]}], "new_num_lines": "x", "task_status": "success"}',
    '{"data": [{"start_time": "Wed, 10 Apr 2024 07:00:00 GMT", "minutes": "x"}]}',
    '{"data": [{"cost_per_day": [null], "gibs_per_day": [{}]}]}',
)


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", STRANGE)
def test_no_answer_however_strange_ends_a_command_in_a_traceback(
    mock: responses.RequestsMock, body: str, status: int, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pacer, "pause", lambda *_: None)
    for method in ("GET", "PUT"):
        mock.add(method, re.compile(rf"{URL}/(?!api/oauth_jwt|api/v1/ee).*"), body=body, status=status)
    mock.replace("GET", f"{URL}/api/v1/ee/packages", body=body, status=status)
    for words in ASKING:
        done = run(*words, *flags)
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
        assert done.exit_code in (0, 1, 2, 4, 5, 6, 124), words
        assert (done.exit_code == 0) or "conductor: " in done.stderr, (words, done.stderr)


def test_every_command_is_tried_with_strange_answers_or_elsewhere() -> None:
    tried = {words[0] for words in ASKING}
    missing = sorted(set(COMMANDS) - tried - TRIED_ELSEWHERE)
    assert not missing, (
        f"put words of {missing} into ASKING, or their names into TRIED_ELSEWHERE with a test there"
    )
    gone = sorted((tried | TRIED_ELSEWHERE) - set(COMMANDS))
    assert not gone, f"there is no command {gone}: take it out of ASKING and TRIED_ELSEWHERE"
    twice = sorted(tried & TRIED_ELSEWHERE)
    assert not twice, f"{twice} is tried here: take it out of TRIED_ELSEWHERE"


@pytest.mark.parametrize(
    "words",
    [
        *(["upload", ""], ["upload", "scene.ma", ""], ["uploader", "-p", ""], ["uploader", "--paths", ""]),
        *(
            ["submit", "--upload-only", "--upload-paths", ""],
            ["submit", "--upload-only", "--upload-file", ""],
        ),
        *(["submit", "--file", ""], ["submit", "--upload-only", "--database-filepath", ""]),
        *(
            ["download", "1", "-o", ""],
            ["download", "1", "--destination="],
            ["downloader", "-j", "1", "-o", ""],
        ),
        *(["usage", "--png", ""], ["catalog", "export", ""]),
    ],
)
def test_an_empty_path_is_refused_wherever_a_command_takes_one(
    mock: responses.RequestsMock, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.ma").write_text("all that is here would be sent")
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "a path is empty; is it a variable that is not set?" in done.stderr
    assert not mock.calls


def test_a_tilde_is_the_home_in_every_path_of_a_command(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock: responses.RequestsMock
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(home))
    (home / "scene.ma").write_text("a scene")
    (home / "list.txt").write_text("~/scene.ma\n")
    (home / "job.yaml").write_text("upload_only: true\nlocal_upload: true\nupload_file: ~/list.txt\n")
    for words in (
        ["--upload-only", "--upload-paths=~/scene.ma"],
        ["--upload-only", "--upload-file=~/list.txt", "--database-filepath=~/db/md5s.db"],
        ["--file=~/job.yaml"],
    ):
        done = run("submit", "--dry-run", "--json", *words)
        assert done.exit_code == 0, done.stderr
        assert [file["destination"] for file in json.loads(done.stdout)["upload_files"]] == [
            f"{home}/scene.ma"
        ]
    assert list(elsewhere.iterdir()) == []


def test_a_device_is_not_replaced_by_what_a_command_writes(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for target in (tmp_path / "pipe.json", tmp_path):
        with pytest.raises(InvalidPathError, match="is not a regular file"):
            write_file(target, b"x")
    assert (tmp_path / "pipe.json").is_fifo()


@pytest.mark.parametrize(
    "words", [["upload", "{file}"], ["uploader", "-p", "{file}"]], ids=lambda words: words[0]
)
@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({}, "cache"),
        ({"DATABASE_FILEPATH": "{folder}/mine.db"}, "mine.db"),
        ({"MD5_CACHING": "false"}, ""),
        ({"MD5_CACHING": "no", "DATABASE_FILEPATH": "{folder}/mine.db"}, ""),
    ],
)
def test_every_upload_remembers_where_the_settings_say(
    mock: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    settings: dict[str, str],
    file: str,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"CONDUCTOR_{name}", value.format(folder=tmp_path))
    asked: list[Path] = []

    def known(self: Md5Cache, _: object) -> dict[str, object]:
        asked.append(self.path)
        return {}

    monkeypatch.setattr(Md5Cache, "known", known)
    (tmp_path / "scene.ma").write_bytes(b"scene")
    assert run(*(word.format(file=tmp_path / "scene.ma") for word in words)).exit_code == 0
    places = {"cache": default_path(), "mine.db": tmp_path / "mine.db"}
    assert asked == ([places[file]] if file else [])


def test_no_command_takes_the_users_own_cache_without_asking_the_settings() -> None:
    sources = Path(commands.__file__).parent.glob("*.py")
    assert [path.name for path in sources if "user_cache" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("status", ["pending", "running", "holding"])
def test_a_task_without_a_log_that_is_to_come_is_waited_for_with_follow(
    mock: responses.RequestsMock, status: str
) -> None:
    error = {"status": "error", "message": "it has no log", "errors": []}
    mock.add("GET", f"{URL}/get_log_file", json=error, status=404)
    task = {"jid": "00001", "tid": "000", "status": status, "frames": "1", "command": "c"}
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": [task]})
    done = run("logs", "1", "0")
    assert done.exit_code == 2
    assert done.stderr.rstrip().endswith("it has no log; --follow waits for it")


def test_a_task_that_is_not_there_is_not_waited_for(mock: responses.RequestsMock) -> None:
    error = {"status": "error", "message": "no such task", "errors": []}
    mock.add("GET", f"{URL}/get_log_file", json=error, status=404)
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": []})
    mock.add("GET", f"{URL}/api/v1/jobs", json={"data": []})
    done = run("logs", "1", "0")
    assert done.exit_code == 2
    assert "--follow" not in done.stderr


def test_a_download_that_came_to_nothing_says_why_and_no_more(mock: responses.RequestsMock) -> None:
    error = {"status": "error", "message": "there is no job '00099'", "errors": []}
    mock.add("POST", f"{URL}/jobs/00099/downloads", json=error, status=404)
    done = run("download", "99")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no job '00099'" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["download", "1:x"], "'1:x' is no JOB:TASKS: tasks: 'x' is not a frame"),
        (["submit", "--upload-paths", ""], "--upload-paths: a path is empty"),
    ],
)
def test_what_is_wrong_with_an_argument_is_said_with_its_name(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
