"""Tasks that run for real: what they find, what they leave, what is said of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.execution.errors import ExecutionError
from support.execution import SANDBOXES, Render, eventually, executing
from support.server import job_file, md5_of, running


@pytest.fixture(params=SANDBOXES)
def render(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Render]:
    """What is said here is so in a sandbox and without one, where a test does not say otherwise."""
    with executing(tmp_path / "data", execute_max_output=3_000_000, execute_sandbox=request.param) as opened:
        yield opened


def attempts(job: dict[str, Any], task: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job["tasks"][task]["attempts"]
    return found


def test_what_appears_below_the_output_path_is_what_is_downloaded(render: Render) -> None:
    scene = render.upload("/proj/scenes/a.ma", b"a scene\n")
    job = render.run(
        'cp "/proj/scenes/a.ma" /proj/out/b.txt; mkdir /proj/out/deep; printf two > /proj/out/deep/c.txt',
        upload_files=[scene],
    )

    assert job["status"] == "success"
    assert attempts(job)[0]["exit_code"] == 0
    assert render.contents(job["jid"]) == {"b.txt": b"a scene\n", "deep/c.txt": b"two"}
    assert [(one["path"], one["md5"], one["size"]) for one in job["tasks"][0]["outputs"]] == [
        ("b.txt", md5_of(b"a scene\n"), 8),
        ("deep/c.txt", md5_of(b"two"), 3),
    ]


def test_an_uploaded_file_below_the_output_path_is_an_output_only_when_it_changed(render: Render) -> None:
    files = [render.upload("/proj/out/same.txt", b"same"), render.upload("/proj/out/other.txt", b"old")]
    job = render.run("printf newer > /proj/out/other.txt", upload_files=files)

    assert render.contents(job["jid"]) == {"other.txt": b"newer"}
    again = render.run("cat /proj/out/other.txt", upload_files=files)
    assert "old" in render.log(again["jid"]), "the store still holds what was uploaded"


def test_a_task_that_changes_its_input_does_not_change_the_store(render: Render) -> None:
    scene = render.upload("/proj/in.txt", b"as uploaded")
    first, second = "printf x >> /proj/in.txt; cat /proj/in.txt", "cat /proj/in.txt"

    assert "as uploadedx" in render.log(render.run(first, upload_files=[scene])["jid"])
    assert "as uploaded" in render.log(render.run(second, upload_files=[scene])["jid"])


def test_modes_are_kept_and_set_uid_is_not(render: Render) -> None:
    tool = render.upload("/tools/bin/tool", b"#!/bin/sh\necho I run\n", st_mode=0o104755)
    job = render.run(
        "tool; stat -c %a /tools/bin/tool", upload_files=[tool], environment={"PATH": "/tools/bin"}
    )

    assert {"I run", "755"} <= set(render.log(job["jid"]))


def test_the_environment_is_minimal_mapped_and_private(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "hush")
    scene = render.upload("/proj/scenes/e.ma", b"e")
    job = render.run(
        "env > /proj/out/env.txt; cat $SCENE",
        upload_files=[scene],
        environment={"SCENE": "/proj/scenes/e.ma", "HOME": "/root", "PATH": "/proj/bin", "API_TOKEN": "t0p"},
    )

    said = render.contents(job["jid"])["env.txt"].decode()
    seen = dict(line.split("=", 1) for line in said.splitlines())
    run = seen["CONDUCTOR_MOCK_RUN"]
    folder = f"{render.data.resolve()}/executions/{run}"
    scene_there = f"{folder}/files/proj/scenes/e.ma"
    if render.sandbox != "none":
        folder, scene_there = "/.conductor-mock", "/proj/scenes/e.ma"
    assert seen["SCENE"] == scene_there
    assert (seen["HOME"], seen["TMPDIR"]) == (f"{folder}/home", f"{folder}/tmp")
    assert seen["PATH"].startswith("/proj/bin:")
    assert seen["PATH"].endswith(os.environ["PATH"])
    assert "SECRET_OF_THE_SERVER" not in seen
    assert seen["API_TOKEN"] == "t0p"
    lines = render.log(job["jid"])
    assert "API_TOKEN=***" in lines
    assert "e" in lines


def test_the_log_tells_the_whole_run(render: Render) -> None:
    job = render.run("echo to stdout; echo to stderr >&2; printf 'no end of line'; exit 3")

    lines = render.log(job["jid"])
    assert "container" in lines[0]
    assert "instance" in lines[1]
    assert lines[-4:-1] == ["to stdout", "to stderr", "no end of line"]
    assert lines[-1].endswith("failed, exit code 3")
    assert any(line.startswith("$ echo to stdout") for line in lines)


def test_a_log_grows_while_its_task_runs_and_lines_are_only_added(render: Render) -> None:
    jid = render.start("echo one; while [ ! -e $HOME/go ]; do sleep 0.02; done; echo two")
    before = render.until_said(jid, "one")
    assert "two" not in before
    (folder,) = render.folders()
    (folder / "home" / "go").touch()
    render.until_ended(jid)

    assert [*before, *render.log(jid, known=len(before))] == render.log(jid)
    assert render.log(jid)[-2:-1] == ["two"]


def test_a_task_that_fails_has_no_outputs_and_is_retried_by_its_policy(render: Render) -> None:
    job = render.run("echo x > /proj/out/x; exit 1", autoretry_policy={"failed": {"max_retries": 1}})

    assert [one["outcome"] for one in attempts(job)] == ["failed", "failed"]
    assert job["status"] == "failed"
    assert render.contents(job["jid"]) == {}


def test_a_success_without_files_has_none_and_is_not_offered(render: Render) -> None:
    job = render.run("true")

    assert job["status"] == "success"
    assert render.contents(job["jid"]) == {}
    offered = render.caller.get("/downloads/next", query={"count": "1000"})
    jids = [one["job_id"] for one in offered.json()["data"]] if offered.status == 201 else []
    assert job["jid"] not in jids


def test_links_out_of_the_output_folder_and_what_is_no_file_are_refused(render: Render) -> None:
    job = render.run(
        "cd /proj/out; echo in > a; ln -s a inside; ln -s /etc/passwd outside; ln -s /etc folder; mkfifo pipe; "
        "ln -s nowhere broken"
    )

    assert render.contents(job["jid"]) == {"a": b"in\n", "inside": b"in\n"}
    refused = [line for line in render.log(job["jid"]) if "is not collected" in line]
    assert [line.split("'")[1] for line in refused] == ["broken", "folder", "outside", "pipe"]


def test_paths_with_a_drive_letter_are_mapped(render: Render) -> None:
    scene = render.upload("C:/proj/a.ma", b"on a drive")
    job = render.run(r'cat "C:\proj\a.ma" > "c:/out/x.txt"', upload_files=[scene], output_path="C:/out")

    assert render.contents(job["jid"]) == {"x.txt": b"on a drive"}


@pytest.mark.parametrize("link", [False, True], ids=["folder", "link"])
def test_the_users_own_folder_stays_as_it_is_whatever_way_a_task_takes(
    render: Render, tmp_path: Path, link: bool
) -> None:
    """Ten ways. The folder is a real one of this machine, and holds what the job has uploaded, and more."""
    own = tmp_path / "own"
    for name in ("scenes/a.ma", "textures/wood.txt", "out/old.txt"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(name)
    named = own
    if link:
        named = tmp_path / "linked"
        named.symlink_to(own)
    texture = render.upload(f"{named}/textures/wood.txt", b"uploaded")
    way = f"{named}/nothing/../textures"
    places = [
        f"{named}/scenes/../textures/wood.txt",
        f"'{way}'/wood.txt",
        f"{way}/../scenes/../out/frame.txt",
        f'"{named}/out/../textures"/wo\\od.txt',
        f"/..{named}/./textures//wood.txt",
        f"{str(named).replace('/', '//')}/out/x.txt",
        f"{own}/textures/wood.txt",
        f"/proc/self/root{own}/textures/wood.txt",
        f"/*{str(own)[str(own).index('/', 1) :]}/textures/wood.txt",
        "$P/wood.txt",
    ]
    environment = {"P": f"{own.parent}/x/../{named.name}/textures"}
    jid = render.submit(
        *[f"echo changed > {place}" for place in places],
        upload_files=[texture],
        output_path=f"{named}/out",
        environment=environment,
    )
    job = render.until_ended(jid)

    found = {str(path.relative_to(own)): path.read_text() for path in own.rglob("*") if path.is_file()}
    assert found == {name: name for name in ("scenes/a.ma", "textures/wood.txt", "out/old.txt")}
    ended = [task["status"] for task in job["tasks"]]
    refused = [index for index, status in enumerate(ended) if status == "failed"]
    if render.sandbox != "none":
        return  # nothing is refused there: all of it leads to the task's own files, or nowhere
    assert all("leads to" in attempts(job, index)[0]["reason"] for index in refused)
    assert refused == ([6, 7, 8] if link else [7, 8])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"output_path": "relative/out"}, "output_path must be an absolute path"),
        ({"output_path": "/"}, "output_path must be an absolute path below the root"),
        ({"environment": {"A=B": "x"}}, "environment variable 'A=B'"),
        ({"environment": {"A": "a\0b"}}, "environment variable 'A'"),
        ({"output_path": "/proj/" + "x" * 300}, "File name too long"),
    ],
)
def test_what_cannot_be_run_fails_with_its_reason(
    render: Render, fields: dict[str, Any], reason: str
) -> None:
    job = render.run("true", **fields)

    assert job["status"] == "failed"
    assert reason in attempts(job)[0]["reason"]
    assert reason in render.log(job["jid"])[-1]


def test_a_command_of_any_length_and_kind_gets_an_end(render: Render) -> None:
    assert render.run("echo " + "x" * 300_000 + " > /dev/null")["status"] == "success"
    assert render.run("echo 'no end")["status"] == "failed"
    assert render.run("\0")["status"] in ("success", "failed")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("yes $(head -c 5000 /dev/zero | tr '\\0' x)", "it wrote more than 3000000 bytes"),
        ("head -c 9000000 /dev/zero > /proj/out/large", "it wrote more than 3000000 bytes"),
        ("for i in 1 2 3 4; do head -c 1000000 /dev/zero > $TMPDIR/$i; done; exit 0", "it wrote more than"),
    ],
)
def test_a_command_that_writes_without_end_fails_and_harms_nothing(
    render: Render, command: str, reason: str
) -> None:
    job = render.run(command)

    assert reason in attempts(job)[0]["reason"]
    assert sum(len(line) for line in render.log(job["jid"])) < 9_000_000
    assert render.run("true")["status"] == "success"
    assert eventually(lambda: not render.folders())


def test_a_preemption_comes_at_its_simulated_time_and_ends_the_run(render: Render) -> None:
    jid = render.start(
        "echo begun; sleep 300",
        metadata={"mock_outcome": "preempted,success", "mock_duration": "40"},
        autoretry_policy={"preempted": {"max_retries": 0}},
    )
    render.until_said(jid, "begun")
    assert render.job(jid)["tasks"][0]["status"] == "running"
    render.clock(advance=60)

    job = render.job(jid)
    assert (job["status"], attempts(job)[0]["outcome"]) == ("preempted", "preempted")
    render.until_said(jid, "begun")


def test_advancing_the_clock_leaves_running_tasks_alone(render: Render) -> None:
    jid = render.start("echo up; while [ ! -e $HOME/go ]; do sleep 0.02; done; echo done > /proj/out/x")
    render.until_said(jid, "up")
    render.clock(advance=30 * 24 * 3600)
    assert render.job(jid)["tasks"][0]["status"] == "running"
    (folder,) = render.folders()
    (folder / "home" / "go").touch()

    job = render.until_ended(jid)
    assert job["status"] == "success"
    assert len(attempts(job)) == 1


def test_no_more_tasks_run_at_once_than_there_are_slots(render: Render) -> None:
    jid = render.start(*["echo up; while [ ! -e $HOME/go ]; do sleep 0.02; done"] * 5)
    statuses = [task["status"] for task in render.job(jid)["tasks"]]

    assert statuses == ["running"] * 2 + ["pending"] * 3
    render.act("kill", jid)
    assert render.until_ended(jid)["status"] == "killed"


def test_waiting_for_a_task_that_does_not_end_is_a_clear_answer(render: Render) -> None:
    jid = render.submit("sleep 1000")
    answer = render.caller.post("/_mock/clock", {"until": {"job": jid}, "within": 0.1})

    assert answer.status == 409
    assert "after 0.1 s of real time 1 task for real did not end yet" in answer.message
    assert render.caller.post("/_mock/clock", {"until": {"job": jid}, "within": -1}).status == 400
    render.act("kill", jid)


def test_only_the_default_account_runs_commands(render: Render, tmp_path: Path) -> None:
    stranger, never = render.fake.newcomer(), tmp_path / "never"
    jid = stranger.submit(tasks_data=[{"command": f"touch {never}", "frames": "1"}]).json()["jobid"]
    query = {"account": stranger.client_id}
    stranger.post("/_mock/clock", {"until": {"job": jid}}, query=query)

    (task,) = stranger.get(f"/_mock/jobs/{jid}", query=query).json()["tasks"]
    assert task["status"] == "success"
    assert "reason" not in task["attempts"][0]
    assert not never.exists()


def test_files_that_a_daemon_brought_are_there(render: Render) -> None:
    content = b"by a daemon"
    jid = render.submit(
        "cat /proj/daemon.txt",
        upload_files=[job_file("/proj/daemon.txt", content, md5=None)],
        local_upload=False,
    )
    claimed = render.caller.request("PUT", "/uploads/client/next", body={"location": None}).json()["data"]
    render.caller.upload("/proj/daemon.txt", content)
    finish = {"upload_id": claimed["id"], "status": "server_pending", "upload_files": {}}
    assert render.caller.post(f"/uploads/{claimed['id']}/finish", finish).status == 200

    assert render.until_ended(jid)["status"] == "success"
    assert content.decode() in render.log(jid)


def test_a_reset_ends_what_runs_and_a_new_job_of_its_number_is_another_one(tmp_path: Path) -> None:
    with executing(tmp_path / "data") as render:
        jid = render.start("echo old; sleep 1000")
        render.until_said(jid, "old")
        render.caller.post("/_mock/reset")
        job = render.run("echo new > /proj/out/new")

        assert job["jid"] == jid
        assert render.contents(jid) == {"new": b"new\n"}
        assert len(attempts(job)) == 1


def test_a_clean_stop_ends_what_runs_and_the_next_server_starts_it_again(tmp_path: Path) -> None:
    with executing(tmp_path / "data") as render:
        jid = render.start("echo try; sleep 1000", "true")
        render.until_said(jid, "try")
        render.until_outcomes(jid, ["success"], task=1)
    with executing(tmp_path / "data") as render:
        render.until_said(jid, "try")
        render.until_outcomes(jid, ["stopped", "running"])
        render.until_outcomes(jid, ["success"], task=1)
        render.act("kill", jid)


def test_a_server_that_does_not_execute_simulates_what_was_left(tmp_path: Path) -> None:
    with executing(tmp_path / "data") as render:
        jid = render.start("sleep 1000")
    with running(data_dir=tmp_path / "data") as fake:
        caller = fake.default_caller()
        caller.post("/_mock/clock", {"until": {"job": jid}})

        job = caller.get(f"/_mock/jobs/{jid}").json()
        assert job["status"] == "success"
        assert attempts(job)[-1]["outcome"] == "success"
        assert caller.get("/_mock/options").json()["execute"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"loopback": False},
            "on an address that other machines reach it needs --executor and --execute-account",
        ),
        ({"executor": "dask://h:1", "execute": False}, "needs --execute too"),
        ({"data_dir": "a folder"}, "where a shell would misread"),
    ],
)
def test_what_is_not_safe_to_execute_is_refused_at_the_start(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    settings["data_dir"] = tmp_path / str(settings.get("data_dir", "data"))
    with pytest.raises(ExecutionError, match=message), running(**{"execute": True, **settings}):
        pass


def test_an_account_that_somebody_else_opened_is_never_executed(tmp_path: Path) -> None:
    """Its jobs would be commands of whoever was first."""
    with running(data_dir=tmp_path / "data") as fake:
        fake.default_caller()
    (tmp_path / "data" / "keys.json").unlink()  # the next server makes new ones
    with pytest.raises(ExecutionError, match="opened with another key"), executing(tmp_path / "data"):
        pass


def test_nobody_gets_commands_into_the_executing_account_by_a_bundle(tmp_path: Path) -> None:
    """The control API asks no key of callers on this machine; a job of the account is a command of its owner."""
    with running(data_dir=tmp_path / "other") as fake:
        fake.default_caller().submit(tasks_data=[{"command": "true", "frames": "1"}])
        bundle = fake.default_caller().get("/_mock/bundle").content
    with executing(tmp_path / "data") as render:
        answer = render.caller.request(
            "POST", "/_mock/bundle", data=bundle, headers={"Content-Type": "application/zip"}
        )

        assert answer.status == 409
        assert "run for real" in answer.message
        assert render.caller.jobs() == []
