"""Two older versions of the vendor's client in smaller form: the catalogue, submissions, daemons, downloads.

7.0.2 (2023) has the upload pipeline and the packages query of today; 4.0.7 (2021) has neither, and no User-Agent of its
own. Both have the deprecated commands only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vendor.environments import OLDER
from vendor.scenarios import Scenario, after, scenario
from vendor.wishes import render_job
from vendor.workstation import Workstation, md5_of

Json = dict[str, Any]
SCENE = b"an older scene"
LARGE = bytes(range(256)) * 10_240


def by_older(item: Scenario) -> list[Scenario]:
    return [item.by(version) for version in OLDER]


def held(desk: Workstation) -> dict[str, str]:
    return {file["path"].rpartition("/")[2]: file["md5"] for file in desk.account.files()}


def contents(folder: Path) -> dict[str, str]:
    return {path.name: md5_of(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def outputs(desk: Workstation) -> dict[str, str]:
    tasks = desk.account.job()["tasks"]
    return {output["path"]: output["md5"] for task in tasks for output in task["outputs"]}


def rendered(desk: Workstation, **arguments: str) -> None:
    """A job whose tasks have succeeded. It has a file, since 7.0.2 waits for ever when it has none to upload."""
    desk.drive("submit", [render_job(desk, upload_paths=[desk.write("scene.ma", SCENE)], **arguments)])
    desk.account.finish_tasks()


@scenario()
def reading(desk: Workstation) -> Json:
    calls: list[list[Any]] = [
        ["api_client", name, [], {}]
        for name in ("request_projects", "request_software_packages", "request_instance_types")
    ]
    projects, packages, machines = desk.drive("call", calls)
    [listing] = desk.account.asked(operation="packages.list")
    return {
        "version": desk.client.version,
        "projects": projects,
        "packages": packages,
        "machines": machines,
        "query": listing["query"],
        "agent": listing["headers"]["User-Agent"],
    }


@scenario()
def submitting_twice(desk: Workstation) -> Json:
    scene, empty, cache = (
        desk.write("scene.ma", SCENE),
        desk.write("empty", b""),
        desk.write("cache.abc", LARGE),
    )
    wish = render_job(desk, upload_paths=[scene, empty, cache])
    answers = desk.drive("submit", [wish, wish])
    operations = [entry["operation"] for entry in desk.account.asked()]
    return {
        "answers": answers,
        "held": held(desk),
        "puts": operations.count("objects.put"),
        "payloads": [job["payload"] for job in desk.account.jobs()],
    }


@scenario("--provider", "s3", "--part-size", str(1 << 20))
def submitting_to_s3_in_parts(desk: Workstation) -> Json:
    paths = [desk.write("scene.ma", SCENE), desk.write("empty", b""), desk.write("cache.abc", LARGE)]
    answers = desk.drive("submit", [render_job(desk, upload_paths=paths)])
    completions = desk.account.asked(operation="files.complete_multipart")
    return {"answers": answers, "held": held(desk), "completions": len(completions)}


@scenario()
def bringing_files(desk: Workstation) -> Json:
    scene = desk.write("scene.ma", SCENE)
    wish = render_job(desk, local_upload=False, upload_paths=[scene], enforced_md5s={scene: md5_of(SCENE)})
    desk.drive("submit", [wish])
    with desk.daemon("uploader", "--log_dir", str(desk.folder)) as daemon:
        daemon.until(lambda: desk.account.job()["upload"]["status"] == "finished", "the file came")
    [finish] = desk.account.asked(operation="uploads.finish")
    return {"job": desk.account.job(), "held": held(desk), "finish": json.loads(finish["body"]["text"])}


@scenario()
def bringing_a_file_that_changed(desk: Workstation) -> Json:
    scene = desk.write("scene.ma", SCENE)
    wish = render_job(desk, local_upload=False, upload_paths=[scene], enforced_md5s={scene: md5_of(SCENE)})
    desk.drive("submit", [wish])
    desk.write("scene.ma", b"saved once more")
    with desk.daemon("uploader", "--log_dir", str(desk.folder)) as daemon:
        daemon.until(lambda: desk.account.job()["status"] == "failed", "the job failed")
    return {"job": desk.account.job(), "held": held(desk)}


@scenario()
def downloading(desk: Workstation) -> Json:
    rendered(desk)
    run = desk.conductor("downloader", "--job_id", "00001", "--log_dir", str(desk.folder))
    return {
        "code": run.code,
        "here": contents(desk.project / "renders"),
        "rendered": outputs(desk),
        "job": desk.account.job(),
    }


@scenario()
def downloading_as_a_daemon(desk: Workstation) -> Json:
    rendered(desk, location="mars")
    with desk.daemon("downloader", "--location", "mars", "--log_dir", str(desk.folder)) as daemon:
        daemon.until(lambda: desk.account.job()["status"] == "downloaded", "the job is downloaded")
    return {
        "here": contents(desk.project / "renders"),
        "rendered": outputs(desk),
        "job": desk.account.job(),
    }


@after(*by_older(reading))
def test_the_catalog_is_read(result: Json) -> None:
    assert "default" in result["projects"]["returned"]
    assert len(result["packages"]["returned"]) > 100
    assert {"name", "cores", "memory"} <= set(result["machines"]["returned"][0])


@after(*by_older(reading))
def test_each_version_asks_for_packages_in_its_own_way(result: Json) -> None:
    if result["version"] == "4.0.7":
        assert result["query"] == {}
        assert result["agent"].startswith("python-requests/")
    else:
        assert result["query"] == {"all": ["true,"]}
        assert result["agent"].startswith("client ciocore/7.0.2 (ciocore 7.0.2; python ")


@after(*by_older(submitting_twice))
def test_files_are_uploaded_once_for_two_submissions(result: Json) -> None:
    assert [answer["code"] for answer in result["answers"]] == [201, 201]
    assert result["held"] == {"scene.ma": md5_of(SCENE), "empty": md5_of(b""), "cache.abc": md5_of(LARGE)}
    assert result["puts"] == 3


@after(*by_older(submitting_twice))
def test_the_payload_has_the_keys_of_today(result: Json) -> None:
    first = result["payloads"][0]
    assert len(first["upload_files"]) == 3
    assert {"instance_type", "tasks_data", "upload_size", "notify", "chunk_size", "owner"} <= set(first)


@after(*by_older(submitting_to_s3_in_parts))
def test_files_are_uploaded_in_parts_to_s3(result: Json) -> None:
    assert result["answers"][0]["code"] == 201
    assert result["held"] == {"scene.ma": md5_of(SCENE), "empty": md5_of(b""), "cache.abc": md5_of(LARGE)}
    assert result["completions"] == 1


@after(*by_older(bringing_files))
def test_the_daemon_brings_the_files_of_a_job(result: Json) -> None:
    assert result["held"] == {"scene.ma": md5_of(SCENE)}
    assert result["job"]["upload"]["status"] == "finished"
    assert [file["md5"] for file in result["finish"]["upload_files"].values()] == [md5_of(SCENE)]


@after(*by_older(bringing_a_file_that_changed))
def test_the_daemon_fails_a_job_whose_file_changed(result: Json) -> None:
    assert result["held"] == {}
    assert result["job"]["upload"]["status"] == "failed"
    assert "scene.ma" in result["job"]["status_description"]


@after(*by_older(downloading), *by_older(downloading_as_a_daemon))
def test_outputs_are_downloaded_and_reported(result: Json) -> None:
    assert result.get("code", 0) == 0
    assert result["here"] == result["rendered"] != {}
    assert result["job"]["status"] == "downloaded"
