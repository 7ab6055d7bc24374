"""Whole submissions: the documented quick start, its variants, and what never gets as far as a request."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from conductor.lib import api_client, conductor_submit, package_utils
from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.config import Config
from conductor.lib.exceptions import (
    BadArgumentError,
    ConductorError,
    InvalidPathError,
    OutcomeUnknownError,
)
from conductor.lib.file_utils import expand_paths
from conductor.lib.progress import Progress
from support.client_world import URL, make_client, md5_of
from support.fake_service import PRIVATE_KEY, SIGNATURE, FakeService

MINIMAL: dict[str, Any] = {
    "instance_type": "n1-standard-1",
    "output_path": "/out",
    "tasks_data": [{"command": "render", "frames": "8"}],
}
PACKAGE_ID = "7208372e306614d514944938c395e0e7"
PACKAGE = {
    "package_id": PACKAGE_ID,
    "relative_path": "chaosgroup/v-ray-standalone/3/3.6",
    "environment": [
        {"name": "LD_LIBRARY_PATH", "value": "/opt/vray/lib", "merge_policy": "append"},
        {"name": "VRAY_AUTH_CLIENT_FILE_PATH", "value": "/etc", "merge_policy": "exclusive"},
    ],
}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """The service, and an environment that points at it."""
    fake = FakeService(packages=[PACKAGE, {"package_id": "another", "relative_path": "x", "environment": []}])
    monkeypatch.setenv("CONDUCTOR_URL", URL)
    monkeypatch.setenv("CONDUCTOR_API_KEY", json.dumps({"client_id": "client-1", "private_key": PRIVATE_KEY}))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake.install(mock)
        yield fake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the documented quick start."""
    root = tmp_path / "path/to"
    for name in ("project/batman_0008.vrscene", "project/batman_0024.vrscene", "tools/custom_vray/bin/vray"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}")
    return root


def test_the_documented_quick_start_works(
    service: FakeService, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conductor_submit.set_logging(logging.DEBUG)
    args: dict[str, Any] = {}
    args["job_title"] = "Test Job: Vray Standalone Test"
    args["project"] = "default"
    args["machine_flavor"] = "standard"
    args["cores"] = 2
    args["upload_paths"] = [
        f"{project}/project/batman_0008.vrscene",
        f"{project}/project/batman_0024.vrscene",
        f"{project}/tools/custom_vray",
    ]
    args["local_upload"] = True
    custom_environment = {
        "VRAY_PLUGINS_x64": "/path/to/tools/custom_vray/plugin",
        "LD_LIBRARY_PATH": "/path/to/tools/custom_vray/bin",
    }
    args["software_package_ids"] = [PACKAGE_ID]
    all_packages = api_client.request_software_packages()
    packages = [p for p in all_packages if p["package_id"] in args["software_package_ids"]]
    args["environment"] = package_utils.merge_package_environments(packages, base_env=custom_environment)
    args["tasks_data"] = [
        {"command": "vray -display=0 -sceneFile=/path/to/project/batman_0008.vrscene", "frames": "8"},
        {"command": "vray -display=0 -sceneFile=/path/to/project/batman_0024.vrscene", "frames": "24"},
    ]
    args["output_path"] = "/path/to/project/output"
    submission = conductor_submit.Submit(args)
    response, response_code = submission.main()
    assert response_code == 201
    assert response == {"body": "job submitted.", "jobid": "00001", "status": "success", "uri": "/jobs/00001"}

    [sent] = service.jobs
    for name in (
        "job_title",
        "project",
        "machine_flavor",
        "cores",
        "local_upload",
        "tasks_data",
        "output_path",
    ):
        assert sent[name] == args[name]
    assert sent["software_package_ids"] == [PACKAGE_ID]
    assert sent["environment"] == {
        "VRAY_PLUGINS_x64": "/path/to/tools/custom_vray/plugin",
        "LD_LIBRARY_PATH": "/path/to/tools/custom_vray/bin:/opt/vray/lib",
        "VRAY_AUTH_CLIENT_FILE_PATH": "/etc",
    }
    paths = expand_paths(args["upload_paths"])
    assert [entry["destination"] for entry in sent["upload_files"]] == paths
    assert [entry["md5"] for entry in sent["upload_files"]] == [
        md5_of(Path(path).read_bytes()) for path in paths
    ]
    assert service.bodies == {path: Path(path).read_bytes() for path in paths}
    assert len(service.tokens) == 1
    assert "jobs.create" in capsys.readouterr().err


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("outcome", ["submitted", "refused"])
def test_nothing_secret_is_ever_logged_or_raised(
    service: FakeService, project: Path, caplog: pytest.LogCaptureFixture, outcome: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "conductor")
    conductor_submit.set_logging("debug")
    service.job_status = 201 if outcome == "submitted" else 500
    args = {**MINIMAL, "upload_paths": [project]}
    text = ""
    try:
        conductor_submit.Submit(args).main()
    except OutcomeUnknownError as error:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__)) + repr(error)
    written = text + caplog.text
    assert "jobs.create" in written
    assert "objects.put" in written
    secrets = (SIGNATURE, "private-key-bytes", "BEGIN KEY", *service.tokens)
    assert not [secret for secret in secrets if secret in written]


def test_wrong_arguments_are_refused_before_anything_is_sent(service: FakeService) -> None:
    with pytest.raises(BadArgumentError, match="priority"):
        conductor_submit.Submit({**MINIMAL, "priority": -1})
    assert service.tokens == []


def test_wrong_paths_are_refused_before_anything_is_sent(service: FakeService, tmp_path: Path) -> None:
    submission = conductor_submit.Submit({**MINIMAL, "upload_paths": [f"{tmp_path}/gone", "relative"]})
    with pytest.raises(InvalidPathError, match="2 paths"):
        submission.main()
    assert service.tokens == []


def test_a_job_needs_no_files(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _, status = conductor_submit.Submit({**MINIMAL, "upload_paths": [tmp_path / "empty", ""]}).main()
    assert (status, service.batches) == (201, [])
    assert (service.jobs[0]["upload_files"], service.jobs[0]["upload_size"]) == ([], 0)


def test_paths_of_the_upload_file_come_after_the_others(
    service: FakeService, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text(f"{project}/tools\n{project}/project/batman_0008.vrscene\n")
    args = {
        **MINIMAL,
        "upload_paths": [f"{project}/project/batman_0024.vrscene"],
        "upload_file": tmp_path / "list",
    }
    conductor_submit.Submit(args).main()
    assert [Path(entry["destination"]).name for entry in service.jobs[0]["upload_files"]] == [
        "batman_0024.vrscene",
        "vray",
        "batman_0008.vrscene",
    ]


def test_left_to_a_daemon_files_are_named_but_not_hashed_and_not_sent(
    service: FakeService, project: Path
) -> None:
    conductor_submit.Submit({**MINIMAL, "upload_paths": [project], "local_upload": False}).main()
    [sent] = service.jobs
    assert service.batches == []
    assert sent["local_upload"] is False
    assert [entry["md5"] for entry in sent["upload_files"]] == [None, None, None]
    assert sent["upload_size"] == sum(entry["st_size"] for entry in sent["upload_files"]) > 0


def test_an_enforced_md5_goes_with_its_file_and_adds_it_if_need_be(
    service: FakeService, project: Path
) -> None:
    scene, other = f"{project}/project/batman_0008.vrscene", f"{project}/project/batman_0024.vrscene"
    args = {
        **MINIMAL,
        "local_upload": False,
        "upload_paths": [scene],
        "enforced_md5s": {scene: md5_of(b"1"), other: md5_of(b"2")},
    }
    conductor_submit.Submit(args).main()
    assert {entry["destination"]: entry["md5"] for entry in service.jobs[0]["upload_files"]} == {
        scene: md5_of(b"1"),
        other: md5_of(b"2"),
    }


@pytest.mark.parametrize("name", ["project", "gone"])
def test_an_enforced_md5_must_be_that_of_one_file(service: FakeService, project: Path, name: str) -> None:
    args = {**MINIMAL, "local_upload": False, "enforced_md5s": {f"{project}/{name}": md5_of(b"1")}}
    with pytest.raises(InvalidPathError, match=name):
        conductor_submit.Submit(args).main()
    assert service.jobs == []


def test_enforced_md5s_do_nothing_on_local_upload_but_say_so(
    service: FakeService, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = f"{project}/project/batman_0008.vrscene"
    args = {**MINIMAL, "upload_paths": [scene], "enforced_md5s": {scene: md5_of(b"other")}}
    conductor_submit.Submit(args).main()
    assert service.jobs[0]["upload_files"][0]["md5"] == md5_of(Path(scene).read_bytes())
    assert "without effect" in caplog.text


def test_uploading_only_without_files_makes_no_request(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    response = conductor_submit.Submit({"upload_only": True, "upload_paths": [tmp_path / "empty"]}).main()
    assert response == ({"message": "No files to upload", "jobid": None}, 204)
    assert service.tokens == []


def test_uploading_only_uploads_and_makes_an_upload_job(service: FakeService, project: Path) -> None:
    _, status = conductor_submit.Submit({"upload_only": True, "upload_paths": [project]}).main()
    assert (status, len(service.bodies)) == (201, 3)
    assert service.jobs[0]["command"] == "upload only"


def test_the_service_decides_about_projects_and_packages(service: FakeService) -> None:
    args = {**MINIMAL, "project": "nobody knows it", "software_package_ids": ["nor this"]}
    conductor_submit.Submit(args).main()
    assert service.jobs[0]["project"] == "nobody knows it"


def test_file_environment_and_arguments_come_together(
    service: FakeService, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".conductor").mkdir()
    (home / ".conductor/config.yml").write_text(
        "priority: 1\nlocation: file\nproject: file\nnotify: [a@file]\n"
    )
    monkeypatch.setenv("CONDUCTOR_LOCATION", "variable")
    monkeypatch.setenv("CONDUCTOR_PROJECT", "variable")
    conductor_submit.Submit({**MINIMAL, "project": "argument", "notify": ["b@argument"]}).main()
    [sent] = service.jobs
    assert (sent["priority"], sent["location"], sent["project"]) == (1, "variable", "argument")
    assert sent["notify"] == {"emails": ["a@file", "b@argument"]}


def test_a_client_that_is_given_is_used_and_left_open(
    service: FakeService, tmp_path: Path, project: Path
) -> None:
    with make_client(tmp_path) as client:
        conductor_submit.Submit({**MINIMAL, "upload_paths": [project]}, client=client).main()
        assert client.list_packages() == service.packages
    assert service.tokens == []


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [({}, True), ({"md5_caching": False}, False), ({"force": True}, False)],
)
def test_md5s_are_kept_unless_told_otherwise(
    service: FakeService,
    tmp_path: Path,
    project: Path,
    arguments: dict[str, Any],
    kept: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = tmp_path / "md5s"
    database.write_text("no database, so that using it is logged" * 99)
    args = {**MINIMAL, "upload_paths": [project], "database_filepath": database, **arguments}
    conductor_submit.Submit(args).main()
    assert (str(database) in caplog.text) is kept


def test_a_base64_key_logs_in_too(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    key = json.dumps({"client_id": "client-1", "private_key": PRIVATE_KEY}).encode()
    monkeypatch.setenv("CONDUCTOR_API_KEY", base64.b64encode(key).decode())
    assert conductor_submit.Submit(MINIMAL).main()[1] == 201


def test_setting_the_log_twice_writes_each_line_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conductor_submit.set_logging(logging.DEBUG, tmp_path / "log")
    conductor_submit.set_logging("INFO", tmp_path / "log")
    logging.getLogger("conductor.lib.x").info("once")
    logging.getLogger("conductor.lib.x").debug("never")
    assert capsys.readouterr().err.count("once") == 1
    assert (tmp_path / "log").read_text().count("once") == 1
    assert "never" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("level", ["LOUD", ""])
def test_an_unknown_log_level_is_refused(level: str) -> None:
    with pytest.raises(ValueError):
        conductor_submit.set_logging(level)


def test_a_config_that_is_given_is_used(service: FakeService, tmp_path: Path) -> None:
    config = Config.load(environ={"CONDUCTOR_URL": "http://nowhere.test"}, home=tmp_path)
    with pytest.raises(ConductorError, match="no API key"):
        conductor_submit.Submit(MINIMAL, config=config).main()


def test_a_submission_can_be_watched(service: FakeService, project: Path) -> None:
    seen: list[Progress] = []
    args = {**MINIMAL, "upload_paths": [str(project)]}
    _, status = conductor_submit.Submit(args, progress=seen.append).main()
    assert status == 201
    assert (seen[0].done_files, seen[-1].done_files, seen[-1].files) == (0, 3, 3)


def test_a_submission_that_is_cancelled_while_its_files_go_up_makes_no_job(
    service: FakeService, project: Path
) -> None:
    cancellation = Cancellation()

    def cancel_at_the_end(progress: Progress) -> None:
        if progress.finished:
            cancellation.cancel()

    args = {**MINIMAL, "upload_paths": [str(project)]}
    submission = conductor_submit.Submit(args, progress=cancel_at_the_end, cancellation=cancellation)
    with pytest.raises(CancelledError):
        submission.main()
    assert service.jobs == []
