"""`Submit` of 9.2.0 with files that the submitting machine uploads itself."""

from __future__ import annotations

import json
from typing import Any

from vendor.scenarios import after, scenario
from vendor.wishes import render_job
from vendor.workstation import Workstation, md5_of

Json = dict[str, Any]

SMALL = b"a small scene"
LARGE = bytes(range(256)) * (14 * 1024)
"""Three and a half MiB: several of the client's 1 MiB chunks, the last one short."""

PART_BYTES = 1 << 20
MANY = 45


def project_files(desk: Workstation) -> tuple[dict[str, bytes], list[str]]:
    """Files of every kind, by path, and the paths to name in a submission: three files and a folder."""
    contents = {
        "scene.ma": SMALL,
        "empty.txt": b"",
        "cache.abc": LARGE,
        "textures/wood.tx": b"wood",
        "textures/deep/skin.tx": b"skin",
        "textures/.hidden": b"hidden",
    }
    by_path = {desk.write(name, content): content for name, content in contents.items()}
    named = [path for path in by_path if "/textures/" not in path]
    return by_path, [*named, str(desk.project / "textures")]


def upload(desk: Workstation, *submissions: Json) -> Json:
    """Submit, and tell what the client said and what the server saw of it."""
    answers = desk.drive("submit", list(submissions))
    entries = desk.account.asked()
    return {
        "answers": answers,
        "asked": [[entry["operation"], entry["status"]] for entry in entries],
        "puts": [entry for entry in entries if entry["operation"].startswith("objects.put")],
        "batches": [entry["body"] for entry in entries if entry["operation"] == "files.get_upload_urls"],
        "held": {file["path"]: [file["md5"], file["size"]] for file in desk.account.files()},
        "jobs": desk.account.jobs(),
    }


@scenario()
def submitting_files_twice(desk: Workstation) -> Json:
    by_path, named = project_files(desk)
    wish = render_job(desk, upload_paths=named)
    sent = {path: [md5_of(content), len(content)] for path, content in by_path.items()}
    return {**upload(desk, wish, wish), "sent": sent}


@scenario()
def submitting_a_renamed_file(desk: Workstation) -> Json:
    first, second = desk.write("first.ma", SMALL), desk.write("second.ma", SMALL)
    return upload(desk, render_job(desk, upload_paths=[first]), render_job(desk, upload_paths=[second]))


@scenario()
def submitting_many_files(desk: Workstation) -> Json:
    paths = [desk.write(f"many/{number:02}.txt", f"file {number}".encode()) for number in range(MANY)]
    return upload(desk, render_job(desk, upload_paths=paths))


@scenario("--provider", "s3")
def submitting_to_s3(desk: Workstation) -> Json:
    by_path, named = project_files(desk)
    sent = {path: [md5_of(content), len(content)] for path, content in by_path.items()}
    return {**upload(desk, render_job(desk, upload_paths=named)), "sent": sent}


@scenario("--part-size", str(PART_BYTES))
def submitting_in_parts(desk: Workstation) -> Json:
    by_path, named = project_files(desk)
    sent = {path: [md5_of(content), len(content)] for path, content in by_path.items()}
    seen = upload(desk, render_job(desk, upload_paths=named))
    completions = desk.account.asked(operation="files.complete_multipart")
    return {**seen, "sent": sent, "completions": [entry["body"] for entry in completions]}


@scenario()
def submitting_without_files(desk: Workstation) -> Json:
    everything = render_job(
        desk,
        job_title="Every argument",
        autoretry_policy={"preempted": {"max_retries": 2}, "failed": {"max_retries": 1}},
        docker_image="studio/image:1",
        environment={"PATH": "/opt/maya/bin"},
        location="mars",
        preemptible=True,
        metadata={"shot": "Ez500"},
        priority=800,
        scout_frames="1,3",
        software_package_ids=["ae8026b7d9cfe524a77a3ebe94b9130a"],
        max_instances=7,
        chunk_size=2,
        owner="kim",
        notify=["fred@example.com", "wilma@example.com"],
    )
    nulls = render_job(desk, notify=None, priority=None, metadata=None, environment=None)
    answers = upload(desk, render_job(desk), everything, nulls, render_job(desk, local_upload=False))
    return {**answers, "everything": everything}


@scenario()
def submitting_wrongly(desk: Workstation) -> Json:
    nothing = render_job(desk)
    del nothing["instance_type"]
    wrong = [
        nothing,
        render_job(desk, upload_paths=["/nowhere/at-all.ma"]),
        render_job(desk, tasks_data="render"),
    ]
    return {"answers": desk.drive("submit", wrong), "jobs": desk.account.jobs()}


@after(submitting_files_twice, submitting_to_s3, submitting_in_parts, submitting_many_files)
def test_a_submission_is_answered_with_a_job(result: Json) -> None:
    answer = result["answers"][0]
    assert answer["code"] == 201
    assert answer["response"] == {
        "body": "job submitted.",
        "jobid": "00001",
        "status": "success",
        "uri": "/jobs/00001",
    }


@after(submitting_files_twice, submitting_to_s3, submitting_in_parts)
def test_every_file_is_held_with_its_own_content(result: Json) -> None:
    assert result["held"] == result["sent"]


@after(submitting_files_twice, submitting_to_s3, submitting_in_parts)
def test_the_job_names_every_file_with_its_md5(result: Json) -> None:
    payload = result["jobs"][0]["payload"]
    named = {file["destination"]: [file["md5"], file["st_size"]] for file in payload["upload_files"]}
    assert named == result["sent"]
    assert payload["upload_size"] == sum(size for _, size in result["sent"].values())
    assert payload["local_upload"] is True


@after(submitting_files_twice)
def test_a_second_submission_uploads_nothing(result: Json) -> None:
    assert [answer["code"] for answer in result["answers"]] == [201, 201]
    assert [code for name, code in result["asked"] if name == "files.get_upload_urls"] == [200, 204]
    assert len(result["puts"]) == len(result["sent"])
    assert [job["jid"] for job in result["jobs"]] == ["00001", "00002"]


@after(submitting_files_twice)
def test_gcs_style_uploads_are_chunked_and_carry_md5_and_token(result: Json) -> None:
    assert len(result["puts"]) == len(result["sent"]) > 0
    for entry in result["puts"]:
        headers = entry["headers"]
        assert headers["Transfer-Encoding"] == "chunked"
        assert headers["Content-Md5"] == entry["body"]["md5"]
        assert "Authorization" in headers
        assert "Content-Length" not in headers


@after(submitting_to_s3)
def test_s3_style_uploads_have_a_length_and_no_token(result: Json) -> None:
    assert len(result["puts"]) == len(result["sent"]) > 0
    assert {entry["headers"]["Content-Length"] for entry in result["puts"]} == {
        str(size) for _, size in result["sent"].values()
    }
    for entry in result["puts"]:
        assert "Authorization" not in entry["headers"]
        assert "Content-Md5" not in entry["headers"]
        assert "Transfer-Encoding" not in entry["headers"]


@after(submitting_in_parts)
def test_a_large_file_goes_in_parts_that_are_put_together(result: Json) -> None:
    parts = [entry for entry in result["puts"] if entry["operation"] != "objects.put"]
    assert sorted(entry["body"]["size"] for entry in parts) == [len(LARGE) % PART_BYTES, *[PART_BYTES] * 3]
    assert all("Authorization" not in entry["headers"] for entry in parts)
    assert len(result["completions"]) == 1


@after(submitting_in_parts)
def test_the_completion_names_every_part_and_no_project(result: Json) -> None:
    [body] = result["completions"]
    said = json_of(body)
    assert [part["partNumber"] for part in said["completedParts"]] == [1, 2, 3, 4]
    assert all(part["etag"] and '"' not in part["etag"] for part in said["completedParts"])
    assert said["hash"] == md5_of(LARGE)
    assert said["project"] is None


@after(submitting_a_renamed_file)
def test_a_file_under_another_name_is_not_asked_for_again(result: Json) -> None:
    assert [code for name, code in result["asked"] if name == "files.get_upload_urls"] == [200, 204]
    assert len(result["puts"]) == 1
    destinations = [job["payload"]["upload_files"][0]["destination"] for job in result["jobs"]]
    assert [path.rpartition("/")[2] for path in destinations] == ["first.ma", "second.ma"]


@after(submitting_many_files)
def test_many_files_are_asked_about_in_batches_of_twenty(result: Json) -> None:
    sizes = sorted(len(json_of(body)["upload_files"]) for body in result["batches"])
    assert sizes == [5, 20, 20]
    assert len(result["held"]) == len(result["puts"]) == MANY


@after(submitting_without_files)
def test_a_job_without_files_is_submitted_in_one_request(result: Json) -> None:
    assert result["asked"] == [["auth.token", 200], *[["jobs.create", 201]] * 4]
    assert [answer["response"]["jobid"] for answer in result["answers"]] == [
        "00001",
        "00002",
        "00003",
        "00004",
    ]


@after(submitting_without_files)
def test_every_argument_arrives_as_it_was_given(result: Json) -> None:
    payload = result["jobs"][1]["payload"]
    wished = {**result["everything"], "notify": {"emails": result["everything"]["notify"]}}
    assert {name: payload[name] for name in wished} == wished


@after(submitting_without_files)
def test_what_is_not_given_arrives_as_the_documented_default(result: Json) -> None:
    payload = result["jobs"][0]["payload"]
    defaults = {
        "autoretry_policy": {},
        "docker_image": "",
        "environment": {},
        "local_upload": True,
        "location": "",
        "preemptible": False,
        "metadata": {},
        "priority": 5,
        "scout_frames": "",
        "software_package_ids": [],
        "max_instances": 0,
        "chunk_size": 1,
        "notify": {"emails": []},
        "upload_files": [],
        "upload_size": 0,
    }
    assert {name: payload[name] for name in defaults} == defaults


@after(submitting_without_files)
def test_nulls_are_accepted_as_they_come(result: Json) -> None:
    payload = result["jobs"][2]["payload"]
    assert payload["notify"] == {"emails": None}
    assert [payload[name] for name in ("priority", "metadata", "environment")] == [None, None, None]


@after(submitting_without_files)
def test_a_job_for_a_daemon_without_files_waits_for_none(result: Json) -> None:
    last = result["jobs"][3]
    assert last["payload"]["local_upload"] is True, "the client corrects it itself (wire reference 3.1)"
    assert last["status"] not in ("upload_pending", "uploading")


@after(submitting_wrongly)
def test_what_the_client_refuses_never_reaches_the_server(result: Json) -> None:
    missing, lost, _ = result["answers"]
    assert missing == {"raised": "KeyError", "message": "'instance_type'"}
    assert lost["raised"] == "InvalidPathException"
    assert result["jobs"] == []


@after(submitting_wrongly)
def test_what_the_server_refuses_is_shown_with_the_servers_own_words(result: Json) -> None:
    refused = result["answers"][2]
    assert refused["raised"] == "Exception"
    assert refused["message"].startswith("Job Submission failed: Error 400")
    assert "/tasks_data" in refused["message"]


@after(submitting_wrongly)
def test_the_status_of_a_refusal_is_the_fifth_word_of_what_the_client_raises(result: Json) -> None:
    """3ds Max's plug-in takes it from there (wire reference 12.13)."""
    assert int(result["answers"][2]["message"].split(" ")[4]) == 400


def json_of(body: Json) -> Any:
    """A body of the journal, parsed."""
    return json.loads(body["text"])
