"""The commands that ask a running server: what they say of it, and that they say so when there is none."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
import responses
from click.testing import CliRunner, Result

from conductor_mock.cli import main
from conductor_mock.commands import COMMANDS
from conductor_mock.commands.requests import followed
from conductor_mock.commands.target import Target
from conductor_mock.context import service_of
from conductor_mock.farm.ids import account_id
from conductor_mock.inprocess import InProcess, in_process
from conductor_mock.serving import ready
from conductor_mock.settings import Settings
from support.bundles import parts_of
from support.server import ApiCaller, ManualWall, candidate, md5_of

CALLS = [
    ["clock"],
    ["clock", "advance", "1"],
    ["clock", "speed", "1"],
    ["clock", "freeze"],
    ["clock", "until", "idle"],
    ["bundle", "save", "a.bundle"],
    ["bundle", "replay", "a.bundle"],
    ["faults"],
    ["faults", "add"],
    ["faults", "clear"],
    ["outcomes"],
    ["outcomes", "add", "failed"],
    ["outcomes", "clear"],
    ["options"],
    ["options", "set", "--seed", "1"],
    ["catalog"],
    ["catalog", "replace", "a.yaml"],
    ["catalog", "reset"],
    ["files"],
    ["mails"],
    ["jobs"],
    ["requests"],
    ["requests", "--follow"],
    ["requests", "--clear"],
    ["reset"],
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InProcess]:
    """A fake that commands find by CONDUCTOR_URL."""
    settings = Settings(ephemeral=True, speed=0)
    monkeypatch.chdir(tmp_path)
    with in_process(settings, wall=ManualWall()) as started:
        monkeypatch.setenv("CONDUCTOR_URL", started.url)
        yield started


@pytest.fixture
def caller(fake: InProcess) -> ApiCaller:
    """The default account, with two jobs in it."""
    keys = service_of(fake.app).keys
    caller = ApiCaller(fake.app, keys.client_id, keys.private_key)
    caller.sign_in()
    caller.submit(job_title="first", tasks_data=[{"command": f"r {n}", "frames": str(n)} for n in range(3)])
    caller.submit(job_title="second")
    return caller


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result


def said(*arguments: str) -> str:
    return run(*arguments).output.strip()


def answered(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").output)


def test_the_clock_is_shown_and_moved(caller: ApiCaller) -> None:
    assert said("clock") == said("clock", "show") == "2026-01-01T00:00:00Z, frozen (account conductor-mock)"
    assert said("clock", "advance", "90.5").startswith("2026-01-01T00:01:30Z")
    assert said("clock", "speed", "60").startswith("2026-01-01T00:01:30Z, speed 60")
    assert said("clock", "freeze").startswith("2026-01-01T00:01:30Z, frozen")
    assert answered("clock")["now"] == "2026-01-01T00:01:30Z"


def test_the_clock_runs_until_a_job_has_ended_and_until_nothing_is_left_to_happen(caller: ApiCaller) -> None:
    run("clock", "until", "2")
    after_one = caller.jobs()
    run("clock", "until", "idle")

    assert after_one[1]["status"] == "success"
    assert [job["status"] for job in caller.jobs()] == ["success", "success"]


def test_the_clock_says_what_does_not_go_on_by_itself_and_what_to_type(caller: ApiCaller) -> None:
    frames = [{"command": "r", "frames": str(frame)} for frame in (1, 2, 3, 50)]
    caller.submit(scout_frames="1,50", tasks_data=frames)
    held = "2 tasks of job 00003 wait for the scout frames 1 and 50 to be approved: conductor unhold --scouts 00003"
    time, *holds = said("clock", "until", "idle").splitlines()
    refused = run("clock", "until", "3", code=3)
    (hold,) = answered("clock", "until", "idle")["holds"]
    asked = hold["request"]

    assert time.endswith(", frozen (account conductor-mock)")
    assert holds == [held]
    assert f"Error: {held}" in refused.output
    assert run("clock", "until", "3", "--json", code=3).output.startswith("{")
    assert run("clock", "until", "1").output.splitlines() == [time]  # another job's holds are not its own
    assert caller.request(asked["method"], asked["path"], body=asked["body"]).status == 200
    assert (
        len(said("clock", "until", "3").splitlines()) == len(said("clock", "until", "idle").splitlines()) == 1
    )
    assert caller.jobs()[2]["status"] == "success"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["clock", "advance", "-5"], "/advance must be simulated seconds from 0"),
        (["clock", "speed", "-1"], "/speed must be a number from 0"),
        (["clock", "until", "99"], "there is no job '99'"),
        (["clock", "--account", "nobody"], "there is no account of client_id 'nobody'"),
        (["clock", "--account", "*"], "account must be the client_id of one account"),
        (["jobs", "99"], "there is no job '99'"),
        (["faults", "add", "--operation", "jobs.explode"], "no operation of the contract"),
        (["faults", "add", "--rule", "[]"], "must be an object"),
        (["faults", "add", "--path", "("], "not a regular expression"),
        (["faults", "add", "--kind", "explosion"], "/fault/kind must be one of"),
        (["faults", "add", "--kind", "garble", "--seconds", "3"], "/fault/seconds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_the_server_refuses_is_said_with_its_reason(
    caller: ApiCaller, arguments: list[str], reason: str
) -> None:
    output = run(*arguments, code=1).output

    assert reason in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["clock", "advance"],
        ["clock", "advance", "soon"],
        ["clock", "advance", "1e400"],
        ["clock", "advance", "--sooner"],
        ["clock", "explode"],
        ["jobs", "../reset"],
        ["bundle"],
        ["bundle", "save"],
        ["faults", "add", "--rule", "{"],
        ["faults", "add", "--rule", "{}", "--status", "500"],
        ["faults", "add", "--rule", "{}", "--kind", "status"],
        ["requests", "--clear", "--limit", "3"],
        ["requests", "--limit", "0"],
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_be_meant_is_refused_before_anything_is_asked(arguments: list[str]) -> None:
    assert "Traceback" not in run(*arguments, code=2).output


def test_faults_are_added_listed_and_cleared(caller: ApiCaller) -> None:
    assert said("faults") == "no faults"
    options = ["--operation", "jobs.create", "--status", "503", "--times", "1", "--retry-after", "3"]
    assert said("faults", "add", *options) == (
        "1  operation jobs.create: kind status, status 503, retry_after 3, 1 time; seen 0, consumed 0"
    )
    refused = caller.submit()
    listed = said("faults", "list")
    run("faults", "add", "--rule", '{"match": {"method": "GET", "path": "/x"}, "fault": {"kind": "status"}}')

    assert (refused.status, refused.headers["Retry-After"]) == (503, "3")
    assert listed.endswith("consumed 1")
    assert [rule["match"] for rule in answered("faults")["faults"]] == [
        {"operation": "jobs.create"},
        {"method": "GET", "path": "/x"},
    ]
    run("faults", "clear")
    assert said("faults") == "no faults"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--kind", "delay", "--seconds", "0.5"], {"kind": "delay", "seconds": 0.5}),
        (["--kind", "stall", "--seconds", "2"], {"kind": "stall", "seconds": 2}),
        (["--kind", "reset", "--no-read-body"], {"kind": "reset", "read_body": False}),
        (["--kind", "truncate", "--bytes", "9"], {"kind": "truncate", "bytes": 9}),
        (["--kind", "corrupt"], {"kind": "corrupt", "bytes": 1}),
        (["--kind", "lost_answer"], {"kind": "lost_answer"}),
        (["--kind", "drip", "--bytes-per-second", "9"], {"kind": "drip", "bytes_per_second": 9}),
        (
            ["--kind", "quota", "--requests", "3", "--seconds", "60"],
            {"kind": "quota", "requests": 3, "seconds": 60, "simulated": False},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_kind_of_fault_has_its_options(
    caller: ApiCaller, options: list[str], fault: dict[str, Any]
) -> None:
    assert answered("faults", "add", *options)["fault"] == fault


def test_a_rule_says_its_conditions(caller: ApiCaller) -> None:
    conditions = ["--times", "2", "--skip", "1", "--every", "3", "--probability", "0.5", "--seed", "7"]
    more = [
        "--until",
        "2030-01-01T00:00:00Z",
        "--from-byte",
        "9",
        "--body",
        "/project=demo",
        "--kind",
        "garble",
    ]
    assert said("faults", "add", *conditions, *more) == (
        '1  body /project="demo": kind garble, 2 times after 1 one of 3 with probability 0.5 (seed 7) '
        "until 2030-01-01T00:00:00Z from byte 9; seen 0, consumed 0"
    )
    body = answered("faults", "add", "--body", "/priority=5")["match"]["body"]
    assert body == {"pointer": "/priority", "value": 5}
    assert "must be POINTER=VALUE" in run("faults", "add", "--body", "project", code=2).stderr


def test_outcomes_are_listed_added_and_cleared(caller: ApiCaller) -> None:
    assert said("outcomes") == said("outcomes", "list") == "no rules"
    added = said(
        "outcomes", "add", "preempted", "success", "--jid", "1", "--frames", "0-1", "--duration", "40"
    )
    assert added.splitlines() == ["jid 1, frames 0-1: preempted, success; 40 s", "2 tasks that fit now"]
    rule = answered("outcomes", "add", "failed", "--exit-code", "9", "--metadata", "shot=7", "--owner", "kim")
    assert rule["rules"][0] == {
        "match": {"owner": "kim", "metadata": {"shot": 7}},
        "outcome": "failed",
        "exit_code": 9,
    }
    assert len(said("outcomes").splitlines()) == 2
    run("outcomes", "clear")
    assert said("outcomes") == "no rules"
    assert "/0/outcome must be" in run("outcomes", "add", "--rule", '[{"outcome": "faild"}]', code=1).stderr
    assert "did you mean 'failed'?" in run("outcomes", "add", "faild", code=1).stderr
    assert "must be NAME=VALUE" in run("outcomes", "add", "failed", "--metadata", "shot", code=2).stderr


def test_options_are_shown_and_changed(caller: ApiCaller) -> None:
    before = answered("options")
    shown = said("options", "set", "--seed", "7", "--provider", "s3", "--release-scouts")
    changed = {**before, "seed": 7, "provider": "s3", "release_scouts": True}
    assert answered("options", "show") == changed
    assert {tuple(line.split()) for line in shown.splitlines()} == {
        (name, "yes" if value is True else "no" if value is False else str(value))
        for name, value in changed.items()
    }
    assert "name at least one option" in run("options", "set", code=2).stderr
    assert "did you mean" not in run("options", "set", "--provider", "azure", code=1).stderr


def test_a_catalog_is_shown_replaced_and_given_back(caller: ApiCaller, tmp_path: Path) -> None:
    before = answered("catalog")
    own = tmp_path / "own.yaml"
    own.write_text("projects: [{id: '1', name: batman, status: active}]", encoding="utf-8")
    assert said("catalog", "replace", str(own)).startswith("the catalogue was taken, its digest is ")
    assert "1 project" in said("catalog").splitlines()
    assert [project["name"] for project in answered("catalog")["projects"]] == ["batman"]
    own.write_text("projects: 7", encoding="utf-8")
    assert "projects" in run("catalog", "replace", str(own), code=1).stderr
    own.write_text("", encoding="utf-8")
    assert "holds no catalogue" in run("catalog", "replace", str(own), code=1).stderr
    assert "No such file" in run("catalog", "replace", str(tmp_path / "none"), code=1).stderr
    run("catalog", "reset")
    assert answered("catalog") == before


def test_files_and_mails_are_listed(caller: ApiCaller) -> None:
    assert (said("files"), said("mails")) == ("no files", "no mails")
    content = b"a scene"
    body = {"upload_files": [candidate("/proj/a.ma", content)]}
    url = caller.post("/api/v2/files/get_upload_urls", body).json()["singlePartURLs"][0]["preSignedURL"]
    caller.request("PUT", url, data=content)
    caller.submit(notify={"emails": ["kim@example.org"]})
    run("clock", "until", "idle")
    assert said("files") == f"{md5_of(content)}  7 bytes  /proj/a.ma"
    (mail,) = answered("mails")["mails"]
    assert (
        said("mails") == f"{mail['time']}  00003  success  to kim@example.org: {mail['subject']}  kept here"
    )


def test_requests_are_followed_from_where_the_last_answer_ended(caller: ApiCaller, fake: InProcess) -> None:
    target = Target(fake.url, None, None, as_json=False)
    asks = iter([2, 0, 3])

    def wait(_: float) -> None:
        for _ in range(next(asks)):
            caller.get("/api/v1/jobs")

    pages = followed(target, {"operation": "jobs.list"}, wait)
    assert [len(next(pages)) for _ in range(4)] == [0, 2, 0, 3]
    ids = [entry["id"] for entry in answered("requests", "--operation", "jobs.list")["requests"]]
    assert ids == sorted(set(ids))


def test_following_ends_in_order(caller: ApiCaller, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    lines = run("requests", "--follow", "--json").output.splitlines()
    assert [json.loads(line)["operation"] for line in lines][-2:] == ["jobs.create"] * 2


ENTRY: dict[str, Any] = {
    "time": "2026-01-01T00:00:00.000+00:00",
    "operation": None,
    "method": "GET",
    "path": "/a",
    "query": {},
    "headers": {},
    "body": None,
    "status": 404,
    "response": None,
    "warnings": [],
    "duration_ms": 1,
}


def test_requests_that_are_not_listed_are_counted(
    caller: ApiCaller, fake: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = service_of(fake.app).journal
    monkeypatch.setattr(journal, "_keep", 1050)
    for _ in range(1200):
        journal.add(account=account_id(caller.client_id), operation=None, entry=ENTRY)
    forgotten, newest = said("requests").splitlines()[:2]
    assert newest == "(the newest 1000; --limit 10000 lists more)"
    number = answered("requests")["forgotten"]
    assert forgotten == f"({number} requests before these, of whatever operation, had to make room)"
    assert len(answered("requests", "--limit", "10000")["requests"]) + number == 1203
    assert said("requests", "--limit", "10").count("/a") == 10


def test_a_busy_moment_is_followed_whole(caller: ApiCaller, fake: InProcess) -> None:
    target = Target(fake.url, None, None, as_json=False)

    def wait(_: float) -> None:
        for _ in range(1500):
            service_of(fake.app).journal.add(
                account=account_id(caller.client_id), operation=None, entry=ENTRY
            )

    pages = followed(target, {}, wait)
    next(pages)
    assert len(next(pages)) == 1500


def test_requests_are_listed_and_forgotten(caller: ApiCaller) -> None:
    caller.submit(future_field=1)
    lines = said("requests", "--operation", "jobs.create").splitlines()

    assert len(lines) == 4
    assert "POST /jobs/  201" in lines[0]
    assert lines[3].strip() == "/future_field is not in the contract"
    assert len(answered("requests", "--limit", "2")["requests"]) == 2
    run("requests", "--clear")
    assert said("requests") == "no requests"


def test_jobs_are_listed_and_one_is_shown_with_its_tasks(caller: ApiCaller) -> None:
    assert said("jobs").splitlines() == [
        "00001  syncing  first  (3 pending)",
        "00002  syncing  second  (1 pending)",
    ]
    run("clock", "until", "idle")
    lines = said("jobs", "1").splitlines()

    assert lines[0] == "00001  success  first  (3 success)"
    assert lines[1:] == [f"  00{n}  success  frames {n}  1 attempt  r {n}" for n in range(3)]


def test_a_reset_makes_the_account_as_new(caller: ApiCaller) -> None:
    assert said("reset") == "the server's own account is as new"
    assert said("jobs") == "no jobs"
    assert said("reset", "--account", "*") == "every account is as new"


def test_an_account_is_saved_to_a_file_and_replayed_from_it(caller: ApiCaller, tmp_path: Path) -> None:
    caller.upload("/a", b"content")
    run("clock", "until", "idle")
    jobs = answered("jobs")
    file = tmp_path / "bug.bundle"
    assert said("bundle", "save", str(file)).endswith(f"bytes to {file}")
    small = file.read_bytes()
    run("bundle", "save", str(file), "--with-files", "--force")
    refused = run("bundle", "replay", str(file), code=1).output
    run("reset")
    shown = said("bundle", "replay", str(file))

    assert b"content" in parts_of(file.read_bytes()).values()
    assert b"content" not in parts_of(small).values()
    assert "is not empty: it has 2 jobs" in refused
    assert shown.startswith("the account conductor-mock has 2 jobs, 0 outputs and 1 uploaded file")
    assert answered("jobs") == jobs
    assert [path.name for path in tmp_path.iterdir()] == ["bug.bundle"]


def test_a_file_that_exists_is_not_replaced_unasked(caller: ApiCaller, tmp_path: Path) -> None:
    file = tmp_path / "a.bundle"
    file.write_text("mine", encoding="ascii")

    assert "--force replaces it" in run("bundle", "save", str(file), code=1).output
    assert file.read_text(encoding="ascii") == "mine"


@pytest.mark.parametrize("name", ["missing/a.bundle", "a.bundle"])
def test_a_file_that_cannot_be_written_or_read_is_named(caller: ApiCaller, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    verb = "save" if "/" in name else "replay"

    assert f"{file}: No such file or directory" in run("bundle", verb, str(file), code=1).output


def test_a_save_that_is_refused_leaves_no_file(caller: ApiCaller, tmp_path: Path) -> None:
    run("bundle", "save", str(tmp_path / "a.bundle"), "--account", "nobody", code=1)

    assert list(tmp_path.iterdir()) == []


def test_the_server_is_that_of_the_option_else_the_ready_file_else_the_environment(
    fake: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps({"url": fake.url, "env": {}}), encoding="utf-8")
    monkeypatch.setenv("CONDUCTOR_URL", "http://wrong.local")
    run("clock", "--url", f"{fake.url}/", "--ready-file", str(tmp_path / "missing"))
    run("clock", "--ready-file", str(ready))
    monkeypatch.setenv("CONDUCTOR_MOCK_READY_FILE", str(ready))
    run("clock")
    monkeypatch.delenv("CONDUCTOR_MOCK_READY_FILE")

    assert "http://wrong.local" in run("clock", code=2).output


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "http://x"}'])
def test_a_ready_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "ready.json").write_text(text, encoding="utf-8")

    assert "is no ready file" in run("clock", "--ready-file", str(tmp_path / "ready.json"), code=2).output


@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
def test_that_no_server_answers_is_said_with_what_to_do(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "replay" in arguments:
        (tmp_path / "a.bundle").write_bytes(b"")
    if "replace" in arguments:
        (tmp_path / "a.yaml").write_text("projects: []", encoding="utf-8")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        output = run(*arguments, "--url", url, code=2).output

    assert f"no conductor-mock answers at {url} (connection refused)" in output
    assert "start one with 'conductor-mock serve'" in output


def test_whoever_asks_in_vain_is_told_of_the_server_of_their_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor_mock.commands.target.default_data_dir", lambda: tmp_path)
    own = {"url": "http://127.0.0.1:9", "pid": 1, "version": "0", "env": {}}
    (tmp_path / ready.OWN_FILE).write_text(json.dumps(own))
    hint = '; yours is at http://127.0.0.1:9: eval "$(conductor-mock env)"'

    assert hint not in run("clock", "--url", "http://127.0.0.1:1", code=2).output, "it was killed"
    with filelock.FileLock(tmp_path / "lock"):
        assert hint in run("clock", "--url", "http://127.0.0.1:1", code=2).output
        assert hint not in run("clock", "--url", "http://127.0.0.1:9", code=2).output


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_a_url_that_is_none_is_said_so(url: str) -> None:
    assert f"no conductor-mock answers at {url.rstrip('/')}" in run("clock", "--url", url, code=2).output


def test_another_service_is_not_taken_for_the_fake() -> None:
    with responses.RequestsMock() as mock:
        mock.add("POST", "http://other.local/_mock/reset", status=200, json={})
        output = run("reset", "--url", "http://other.local", code=2).output

    assert "is no conductor-mock" in output


def test_an_admin_token_is_sent_along(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(ephemeral=True, speed=0, admin_token="open")
    with in_process(settings) as fake:
        assert "Bearer ADMIN_TOKEN" in run("clock", "--url", fake.url, code=1).output
        run("clock", "--url", fake.url, "--admin-token", "open")
        monkeypatch.setenv("CONDUCTOR_MOCK_ADMIN_TOKEN", "open")
        run("clock", "--url", fake.url)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    help_ = main.commands[name].help or ""
    output = said(name, "--help")

    assert help_
    assert help_ in output.replace("\n  ", " ") or help_.split()[0] in output


@pytest.mark.parametrize(
    "words",
    [
        *(["serve", "--data-dir", ""], ["serve", "--ready-file="], ["serve", "--catalog", ""]),
        *(["serve", "--faults", ""], ["run", "--data-dir", "", "true"], ["env", "--data-dir", ""]),
        *(["env", "--ready-file", ""], ["demo", "--folder="], ["jobs", "--ready-file", ""]),
        *(["bundle", "save", ""], ["bundle", "replay", ""]),
    ],
    ids=" ".join,
)
def test_an_empty_path_is_refused_wherever_a_command_takes_one(words: list[str]) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "a path is empty; is it a variable that is not set?" in done.output


def test_a_tilde_is_the_home(caller: ApiCaller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    caller.upload("/a", b"content")
    done = CliRunner().invoke(main, ["bundle", "save", "~/a.bundle"])
    assert done.exit_code == 0, done.output
    assert (home / "a.bundle").exists()
    done = CliRunner().invoke(main, ["env", "--data-dir=~/nowhere"])
    assert f"there is no data directory {home}/nowhere" in done.output
    done = CliRunner().invoke(main, ["env", "--ready-file=~/nowhere"])
    assert f"cannot read the ready file {home}/nowhere" in done.output
