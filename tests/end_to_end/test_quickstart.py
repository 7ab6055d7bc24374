"""The documented quick start, run as a program against a served fake: what it prints, sends and leaves behind."""

from __future__ import annotations

import ast
import getpass
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.contents import contents_in
from support.control import Control
from support.disk import facts, upload_entry, without_atime, write_tree
from support.programs import PATIENCE_S, QUICKSTART, Finished, conductor_mock, python, run
from support.served import ServedProcess, served

MAYA = "/opt/autodesk/maya-io/2016/maya-io2016.SP0"
MAYA_ID = "7208372e306614d514944938c395e0e7"
ANSWER = {"body": "job submitted.", "jobid": "00001", "status": "success", "uri": "/jobs/00001"}

SCENES = {
    "batman_0008.vrscene": b"// frame 8\n" * 60,
    "batman_0024.vrscene": b"// frame 24\n" * 60,
    "textures/cape.tx": bytes(range(256)) * 300,
    "textures/.hidden": b"also a texture",
    "textures/old/cowl.tx": b"",
}
TOOLS = {"bin/vray": b'#!/bin/sh\necho "$@"\n', "plugin/bat_shader.so": b"\x7fELF and more"}
NOT_ASKED_FOR = {"notes.txt": b"lies beside what is uploaded", "output/old.exr": b"an older picture"}


class Stage:
    """A project on disk, as the document's paths describe it."""

    def __init__(self, folder: Path) -> None:
        self.project, self.tools = folder / "project", folder / "tools" / "custom_vray"
        self.inputs = write_tree(self.project, SCENES) + write_tree(self.tools, TOOLS)
        write_tree(self.project, NOT_ASKED_FOR)
        (self.tools / "bin" / "vray").chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {"PROJECT": str(self.project), "TOOLS": str(self.tools)}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "disk")


@dataclass(frozen=True)
class Performance:
    """The quick start on a stage of its own, run once against a server of its own, which still runs."""

    server: ServedProcess
    stage: Stage
    finished: Finished

    @property
    def job(self) -> dict[str, Any]:
        """The job that the server recorded."""
        return Control(self.server.url).job(printed(self.finished)[1]["jobid"])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    folder = tmp_path_factory.mktemp("quickstart")
    stage = Stage(folder / "disk")
    with served(folder / "served") as server:
        yield Performance(server, stage, run_quickstart(server, stage))


def run_quickstart(server: ServedProcess, stage: Stage) -> Finished:
    return run(python("-W", "error", str(QUICKSTART)), {**server.ready["env"], **stage.environment})


def printed(finished: Finished) -> tuple[int, dict[str, Any]]:
    """The response code and the response, as the two lines that the document prints."""
    assert finished.returncode == 0, finished.stderr
    code, response = finished.stdout.splitlines()
    return int(code), ast.literal_eval(response)


def test_the_quick_start_prints_201_and_the_documented_response(done: Performance) -> None:
    assert printed(done.finished) == (201, ANSWER)


def test_the_quick_start_logs_its_requests_and_no_secret(done: Performance) -> None:
    log = done.finished.stderr
    assert "jobs.create -> 201" in log
    assert "Traceback" not in log
    assert done.server.api_key["private_key"] not in log
    assert "eyJ" not in log, "a token"
    assert "signature" not in log.lower()


def test_the_recorded_job_says_what_the_document_says(done: Performance) -> None:
    stage, payload = done.stage, done.job["payload"]
    scene = f"vray -display=0 -sceneFile={stage.project}/batman_{{}}.vrscene"
    image = f"-imgFile={stage.project}/output/output.exr"
    files = payload.pop("upload_files")
    assert payload == {
        "job_title": "Test Job: Vray Standalone Test",
        "project": "default",
        "machine_flavor": "standard",
        "cores": 2,
        "local_upload": True,
        "software_package_ids": [MAYA_ID],
        "environment": {
            "VRAY_PLUGINS_x64": f"{stage.tools}/plugin",
            "LD_LIBRARY_PATH": ":".join(
                [
                    f"{stage.tools}/bin",
                    f"{MAYA}/lib",
                    f"{MAYA}/plug-ins/xgen/lib",
                    f"{MAYA}/plug-ins/bifrost/lib",
                ]
            ),
            "MAYA_LOCATION": MAYA,
            "MAYA_DISABLE_CIP": "1",
            "MAYA_LICENSE": "unlimited",
            "MAYA_LICENSE_METHOD": "network",
            "ADSKFLEX_LICENSE_FILE": "@licence-autodesk",
            "PATH": f"{MAYA}/bin",
            "PYTHONPATH": f"{MAYA}/scripts/site-packages",
        },
        "tasks_data": [
            {"command": f"{scene.format('0008')} {image}", "frames": "8"},
            {"command": f"{scene.format('0024')} {image}", "frames": "24"},
        ],
        "output_path": f"{stage.project}/output",
        "upload_size": sum(facts(path)[1] for path in stage.inputs),
        # What the document leaves out, as the vendor's clients fill it in (wire reference 3.1).
        "autoretry_policy": {},
        "chunk_size": 1,
        "docker_image": "",
        "location": "",
        "max_instances": 0,
        "metadata": {},
        "notify": {"emails": []},
        "owner": getpass.getuser(),
        "preemptible": False,
        "priority": 5,
        "scout_frames": "",
    }
    assert sorted(map(without_atime, files), key=_by_destination) == sorted(
        map(upload_entry, stage.inputs), key=_by_destination
    )


def _by_destination(entry: dict[str, Any]) -> str:
    return str(entry["destination"])


def test_the_recorded_job_has_a_task_for_each_scene_and_no_warning(done: Performance) -> None:
    assert [(task["tid"], task["frames"]) for task in done.job["tasks"]] == [("000", "8"), ("001", "24")]
    assert done.job["warnings"] == []


def test_the_server_holds_every_file_as_it_is_on_disk_and_no_other(done: Performance) -> None:
    assert Control(done.server.url).files() == {str(path): facts(path) for path in done.stage.inputs}
    stored = contents_in(done.server.ready_file.parent / "data")
    assert {path.read_bytes() for path in done.stage.inputs} <= set(stored.values())


def test_a_second_run_sends_no_file_again_and_makes_a_second_job(done: Performance) -> None:
    control = Control(done.server.url)
    control.forget_journal()
    assert printed(run_quickstart(done.server, done.stage))[1]["jobid"] == "00002"
    assert control.journal("objects.put") == []
    first, second = control.jobs()
    assert first["payload"]["tasks_data"] == second["payload"]["tasks_data"]


def test_the_second_sample_of_the_document_lists_the_packages_by_path(done: Performance) -> None:
    server = done.server
    sample = """
from conductor.lib import api_client

packages = api_client.request_software_packages()
packages = sorted(packages, key=lambda x: x["relative_path"])
print("\\n".join(["{} -- {}".format(p["package_id"], p["relative_path"]) for p in packages]))
"""
    finished = run(python("-W", "error", "-c", sample), server.ready["env"])
    assert finished.returncode == 0, finished.stderr
    listed = [line.split(" -- ") for line in finished.stdout.splitlines()]
    with server.session() as session:
        records = session.get(f"{server.url}/api/v1/ee/packages", timeout=PATIENCE_S).json()["data"]
    assert sorted(map(tuple, listed)) == sorted((p["package_id"], p["relative_path"]) for p in records)
    paths = [path for _, path in listed]
    assert paths == sorted(paths)
    assert [MAYA_ID, MAYA.removeprefix("/opt/")] in listed


def test_the_quick_start_runs_under_conductor_mock_run(tmp_path: Path, stage: Stage) -> None:
    throw_away = tmp_path / "tmp"
    throw_away.mkdir()
    finished = run(
        conductor_mock("run", "--", *python(str(QUICKSTART))),
        {**stage.environment, "TMPDIR": str(throw_away)},
    )
    assert printed(finished) == (201, ANSWER)
    assert list(throw_away.iterdir()) == []


def test_conductor_mock_run_ends_with_the_code_of_its_command(stage: Stage) -> None:
    (stage.project / "batman_0008.vrscene").unlink()
    finished = run(conductor_mock("run", "--", *python(str(QUICKSTART))), stage.environment)
    assert finished.returncode == 1
    assert "batman_0008.vrscene" in finished.stderr.splitlines()[-1]


@dataclass(frozen=True)
class Shown:
    """A demo that has ended: its lines, and what it left in the folder for temporary files."""

    code: int
    out: list[str]
    err: str
    left: list[str]


def demo(folder: Path, *arguments: str, until: str | None = None) -> Shown:
    """Run a demo in a session of its own, with `folder` for temporary files; Ctrl-C comes when it says `until`."""
    process = subprocess.Popen(
        conductor_mock("demo", *arguments),
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said = []
    if until is not None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if until in line:
                process.send_signal(signal.SIGINT)
                break
    out, err = process.communicate(timeout=PATIENCE_S)
    with pytest.raises(ProcessLookupError):  # nobody is left in the session that the demo began
        os.killpg(process.pid, signal.SIGKILL)
    lines = "".join([*said, out]).splitlines()
    return Shown(process.returncode, lines, err, sorted(path.name for path in folder.iterdir()))


def test_the_demo_says_a_line_for_each_step_and_leaves_what_it_was_asked_for(tmp_path: Path) -> None:
    place, throw_away = tmp_path / "demo", tmp_path / "tmp"
    throw_away.mkdir()
    shown = demo(throw_away, "--folder", str(place))
    output = place / "project" / "output"
    frames = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert (shown.code, shown.err) == (0, "")
    assert [line.partition(": ")[0] for line in shown.out[1:-1]] == [
        "python quickstart.py",
        "conductor submit --file turntable.yml",
        "simulated time runs on",
        "  9 tasks of job 00002 wait for the scout frames 1, 6 and 12 to be approved",
        "conductor unhold --scouts 00002",
        "simulated time runs on",
        "conductor download 00001 00002",
    ]
    assert shown.out[1].endswith(": job 00001, 2 tasks, 7 files uploaded")
    assert "14 of 14 tasks done" in shown.out[6]
    assert "2 preemptions on the way, $ 0." in shown.out[6], "frames 4 and 9"
    assert shown.out[7].endswith(f": 14 frames in {output}")
    assert re.search(r"http://127\.0\.0\.1:\d+/;", shown.out[-1]), "where its page was"
    assert frames == [
        "output.0008.simulated.png",
        "output.0024.simulated.png",
        *(f"turntable/lamp.{frame:04d}.simulated.png" for frame in range(1, 13)),
    ]
    assert shown.left == []
    assert list(Path(os.environ["HOME"]).rglob("*")) == [], "the demo has a home of its own"


def test_a_demo_that_was_asked_for_no_folder_leaves_none(tmp_path: Path) -> None:
    shown = demo(tmp_path)
    assert (shown.code, shown.err, shown.left) == (0, "", [])
    assert "--folder FOLDER keeps them" in shown.out[-2]


def test_a_farm_to_look_at_is_there_until_ctrl_c(tmp_path: Path) -> None:
    (folder := tmp_path / "tmp").mkdir()
    ready = tmp_path / "ready.json"
    shown = demo(folder, "--keep", "--port", "0", "--ready-file", str(ready), until="Ctrl-C ends it")
    assert (shown.code, shown.err, shown.left) == (0, "", [])
    assert re.fullmatch(r"a farm to look at: http://127\.0\.0\.1:\d+/", shown.out[0])
    assert f'env --ready-file {ready})"' in shown.out[-2]
    assert not ready.exists(), "it tells of a server that is gone"


def test_what_a_demo_cannot_do_together_is_refused(tmp_path: Path) -> None:
    for arguments in (["--keep", "--folder", str(tmp_path)], ["--port", "0"], ["--ready-file", "ready.json"]):
        refused = run(conductor_mock("demo", *arguments))
        assert refused.returncode == 2
        assert "--keep" in refused.stderr


def test_a_demo_in_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    finished = run(conductor_mock("demo", "--folder", str(tmp_path / "file" / "demo")))
    assert finished.returncode == 1
    assert "the project cannot be made" in finished.stderr
    assert "Traceback" not in finished.stderr
