"""The vendor's uploader daemon, version 9.2.0, bringing the files of jobs that were submitted without them."""

from __future__ import annotations

import json
from typing import Any

from vendor.scenarios import after, scenario
from vendor.wishes import render_job
from vendor.workstation import Workstation, md5_of

Json = dict[str, Any]

SCENE = b"the scene of the daemon"
TEXTURE = b"its texture"
WAITING = ("upload_pending", "uploading")
COMPLETE = ("syncing", "pending")
"""Statuses of a job that has its files and whose tasks did not start yet (wire reference 7.1)."""


def submit_for_daemon(desk: Workstation, **arguments: Any) -> list[Json]:
    """A job with two files whose upload is left to a daemon; `scene.ma` and `wood.tx` lie in the project."""
    paths = [desk.write("scene.ma", SCENE), desk.write("wood.tx", TEXTURE)]
    return list(desk.drive("submit", [render_job(desk, local_upload=False, upload_paths=paths, **arguments)]))


def brought(desk: Workstation, *command: str) -> Json:
    """Run the daemon until the first job waits for no file any more; what the server then knows."""
    with desk.daemon(*command, "--log_dir", str(desk.folder)) as daemon:
        daemon.until(lambda: desk.account.job()["status"] not in WAITING, "the files of the first job came")
    return recorded(desk)


def recorded(desk: Workstation) -> Json:
    entries = desk.account.asked()
    return {
        "jobs": desk.account.jobs(),
        "held": {file["path"].rpartition("/")[2]: file["md5"] for file in desk.account.files()},
        "asked": [
            {"operation": entry["operation"], "status": entry["status"], "body": entry["body"]}
            for entry in entries
            if entry["operation"].startswith("uploads.")
        ],
        "puts": sum(entry["operation"] == "objects.put" for entry in entries),
    }


@scenario()
def bringing_files(desk: Workstation) -> Json:
    answers = submit_for_daemon(desk)
    before = desk.account.job()
    return {**brought(desk, "upload"), "answers": answers, "before": before}


@scenario()
def bringing_files_with_the_right_md5(desk: Workstation) -> Json:
    enforced = {str(desk.project / "scene.ma"): md5_of(SCENE)}
    submit_for_daemon(desk, enforced_md5s=enforced)
    return brought(desk, "upload")


@scenario()
def bringing_a_file_that_changed(desk: Workstation) -> Json:
    enforced = {str(desk.project / "scene.ma"): md5_of(SCENE)}
    submit_for_daemon(desk, enforced_md5s=enforced)
    desk.write("scene.ma", b"saved once more after the submission")
    return brought(desk, "upload")


@scenario()
def bringing_files_from_mars(desk: Workstation) -> Json:
    submit_for_daemon(desk, location="mars")
    submit_for_daemon(desk, location="venus")
    return brought(desk, "upload", "--location", "mars")


@scenario()
def bringing_files_the_deprecated_way(desk: Workstation) -> Json:
    submit_for_daemon(desk)
    return brought(desk, "uploader")


@scenario()
def having_nothing_to_bring(desk: Workstation) -> Json:
    account = desk.account
    with desk.daemon("upload", "--log_dir", str(desk.folder)) as daemon:
        daemon.until(lambda: account.is_known() and account.asked(operation="uploads.next"), "it asks")
    return recorded(desk)


def reports(result: Json, operation: str) -> list[str]:
    """The texts that the daemon sent to one operation."""
    return [entry["body"]["text"] for entry in result["asked"] if entry["operation"] == operation]


@after(bringing_files)
def test_the_job_waits_for_the_daemon_with_unknown_md5s(result: Json) -> None:
    assert result["answers"][0]["code"] == 201
    assert result["before"]["status"] == "upload_pending"
    assert [file["md5"] for file in result["before"]["payload"]["upload_files"]] == [None, None]


@after(bringing_files, bringing_files_with_the_right_md5, bringing_files_the_deprecated_way)
def test_the_daemon_brings_the_files_and_the_job_goes_on(result: Json) -> None:
    assert result["held"] == {"scene.ma": md5_of(SCENE), "wood.tx": md5_of(TEXTURE)}
    [job] = result["jobs"]
    assert job["upload"]["status"] == "finished"
    assert job["status"] in COMPLETE


@after(bringing_files)
def test_the_daemon_claims_reports_and_finishes(result: Json) -> None:
    asked = [(entry["operation"], entry["status"]) for entry in result["asked"]]
    assert asked[0] == ("uploads.next", 201)
    assert ("uploads.update", 200) in asked
    [finish] = map(json.loads, reports(result, "uploads.finish"))
    assert finish["status"] == "server_pending"
    assert {path: file["md5"] for path, file in finish["upload_files"].items()} == {
        file["destination"]: md5_of(SCENE if file["destination"].endswith("scene.ma") else TEXTURE)
        for file in result["jobs"][0]["payload"]["upload_files"]
    }


@after(bringing_files)
def test_the_progress_report_has_the_clients_own_spelling(result: Json) -> None:
    update = json.loads(reports(result, "uploads.update")[0])
    assert set(update) == {"upload_id", "transfer_size", "bytes_transfered"}


@after(bringing_a_file_that_changed)
def test_a_file_that_changed_since_the_submission_fails_the_job(result: Json) -> None:
    [job] = result["jobs"]
    assert (job["status"], job["upload"]["status"]) == ("failed", "failed")
    assert "scene.ma" not in result["held"]


@after(bringing_a_file_that_changed)
def test_the_reason_of_a_failed_upload_is_kept_in_the_daemons_words(result: Json) -> None:
    [reason] = reports(result, "uploads.fail")
    assert reason.startswith("Uploader ERROR: ")
    assert "scene.ma" in reason
    assert md5_of(SCENE) in reason
    assert reason in result["jobs"][0]["status_description"]


@after(bringing_files_from_mars)
def test_a_daemon_gets_only_the_jobs_of_its_location(result: Json) -> None:
    statuses = {job["payload"]["location"]: job["status"] for job in result["jobs"]}
    assert statuses["mars"] in COMPLETE
    assert statuses["venus"] == "upload_pending"
    assert {json.loads(text)["location"] for text in reports(result, "uploads.next")} == {"mars"}


@after(having_nothing_to_bring)
def test_a_daemon_without_work_is_told_so_without_a_body(result: Json) -> None:
    assert {(entry["operation"], entry["status"]) for entry in result["asked"]} == {("uploads.next", 204)}
    assert json.loads(reports(result, "uploads.next")[0]) == {"location": None}
