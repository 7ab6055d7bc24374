"""Submission and listing of jobs: every dialect of the wire, with warnings where a real account might know better."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.ids import account_id
from conductor_mock.farm.statuses import TaskStatus
from support.payloads import job_payloads
from support.server import ApiCaller, Fake, job_file, job_payload, md5_of, running

UPLOAD_ONLY = {"tasks_data": ..., "output_path": ..., "command": "upload only", "frame_range": "x"}


NOT_BROUGHT = {"bytes_to_send": 0, "bytes_sent": 0}


def control_job(caller: ApiCaller, jid: str) -> dict[str, Any]:
    record: dict[str, Any] = caller.get(f"/_mock/jobs/{jid}", query={"account": caller.client_id}).json()
    return record


def submitted(caller: ApiCaller, **fields: Any) -> dict[str, Any]:
    """The control record of a job that must be accepted."""
    answer = caller.submit(**fields)
    assert answer.status == 201, answer
    return control_job(caller, answer.json()["jobid"])


def synced(caller: ApiCaller, **fields: Any) -> dict[str, Any]:
    """The same some seconds later, when files that are there were copied to the render storage."""
    record = submitted(caller, **fields)
    caller.post("/_mock/clock", {"advance": 10}, query={"account": caller.client_id})
    return control_job(caller, record["jid"])


def warnings_of(caller: ApiCaller) -> list[str]:
    """The warnings of the newest submission, as the journal has them."""
    found = caller.get("/_mock/requests", query={"account": caller.client_id, "operation": "jobs.create"})
    warnings: list[str] = found.json()["requests"][-1]["warnings"]
    return warnings


def test_a_job_is_answered_as_documented(fake: Fake) -> None:
    answer = fake.caller().submit()

    assert answer.status == 201
    assert answer.json() == {
        "body": "job submitted.",
        "jobid": "00001",
        "status": "success",
        "uri": "/jobs/00001",
    }


@pytest.mark.parametrize("path", ["/jobs/", "/jobs", "//jobs/"])
def test_a_job_can_be_posted_to_any_spelling_of_the_path(fake: Fake, path: str) -> None:
    """Clients join URLs by concatenation, and a redirect would turn a POST into a GET (traps 26 and 40)."""
    answer = fake.caller().post("/jobs/", job_payload(), environ={"PATH_INFO": path})

    assert answer.status == 201


def test_jobs_are_numbered_by_account(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")

    assert [one.submit().json()["jobid"] for _ in range(3)] == ["00001", "00002", "00003"]
    assert other.submit().json()["jobid"] == "00001"


@given(job_payloads())
def test_every_valid_payload_is_accepted_and_kept_as_it_was_sent(
    shared_fake: Fake, payload: dict[str, Any]
) -> None:
    caller = shared_fake.newcomer()
    answer = caller.post("/jobs/", payload)
    assert answer.status == 201, answer
    record = control_job(caller, answer.json()["jobid"])

    assert record["payload"] == payload
    assert len(caller.jobs()) == 1
    tasks = payload.get("tasks_data")
    if tasks:
        assert [task["command"] for task in record["tasks"]] == [task["command"] for task in tasks]
        assert [task["frames"] for task in record["tasks"]] == [task.get("frames") or "" for task in tasks]
    elif payload["command"] == "upload only":
        assert record["tasks"] == []


def test_every_field_that_clients_were_seen_to_read_is_in_the_record(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit(location="mars", metadata={"shot": "Ez500"}, priority=800)
    (record,) = caller.jobs()

    assert record == {
        "id": "00001",
        "jid": "00001",
        "title": "A test",
        "account_id": account_id("studio"),
        "submittedBy": "kim",
        "user": "kim",
        "owner": "kim",
        "project": "default",
        "created": "2026-01-01T00:00:00Z",
        "location": "mars",
        "output_path": "/proj/out",
        "priority": 800,
        "instance_type": "n1-standard-2",
        "metadata": {"shot": "Ez500"},
        "status": "syncing",
        "status_description": "copying files to the render storage",
        "total_runtime": 0,
        "tasks": 1,
        **{status.value: 0 for status in TaskStatus},
        "pending": 1,
    }


NULLABLE = [
    "job_title",
    "project",
    "owner",
    "output_path",
    "priority",
    "location",
    "metadata",
    "environment",
    "notify",
    "autoretry_policy",
    "software_package_ids",
    "upload_files",
    "upload_size",
    "local_upload",
    "preemptible",
    "scout_frames",
    "max_instances",
    "chunk_size",
    "docker_image",
    "command",
    "frame_range",
    "cores",
    "machine_flavor",
]


@pytest.mark.parametrize("field", NULLABLE)
def test_an_explicit_null_is_as_if_nothing_was_given(fake: Fake, field: str) -> None:
    """Newer clients send null where the caller passed None (trap 31)."""
    caller = fake.caller()
    caller.submit(**{field: ...})
    caller.submit(**{field: None})
    without, null = caller.jobs()

    assert {**null, "id": "", "jid": ""} == {**without, "id": "", "jid": ""}


def test_all_nulls_at_once_are_accepted(fake: Fake) -> None:
    caller = fake.caller()
    assert caller.submit(**{**dict.fromkeys(NULLABLE), "notify": {"emails": None}}).status == 201
    assert caller.jobs()[0]["priority"] == 5


@pytest.mark.parametrize("priority", [7, "7", " 7 ", "+7", "07", 7.0, "7\n", "\ufeff7", "\u00a07"])
def test_a_number_may_be_given_as_text(fake: Fake, priority: Any) -> None:
    caller = fake.caller()
    assert caller.submit(priority=priority, chunk_size=priority, max_instances=priority).status == 201
    assert caller.jobs()[0]["priority"] == 7


@given(st.characters(categories=["Z", "C", "N"]), st.sampled_from(["{}5", "5{}", "{}"]))
def test_text_that_the_contract_takes_for_a_number_is_read_as_one(
    shared_fake: Fake, letter: str, form: str
) -> None:
    """Its idea of white space is that of JavaScript, and not Python's."""
    if unicodedata.category(letter) == "Cs":
        return
    caller = shared_fake.newcomer()
    answer = caller.submit(priority=form.format(letter))

    assert answer.status in (201, 400)
    assert len(caller.jobs()) == (answer.status == 201)


@pytest.mark.parametrize(
    ("fields", "machine"),
    [
        ({"instance_type": ..., "cores": 2, "machine_flavor": "highmem"}, "n1-highmem-2"),
        ({"instance_type": ..., "cores": 2}, "n1-standard-2"),
        ({"instance_type": ..., "cores": 2.0, "machine_flavor": None}, "n1-standard-2"),
        ({"instance_type": None, "cores": 4, "machine_flavor": "standard"}, "n1-standard-4"),
        ({"instance_type": "n1-highcpu-8", "cores": 2, "machine_flavor": "standard"}, "n1-highcpu-8"),
    ],
)
def test_the_machine_is_named_in_either_dialect(fake: Fake, fields: dict[str, Any], machine: str) -> None:
    caller = fake.caller()
    assert caller.submit(**fields).status == 201
    assert caller.jobs()[0]["instance_type"] == machine
    assert warnings_of(caller) == []


def test_a_command_with_frames_is_a_job(fake: Fake) -> None:
    caller = fake.caller()
    record = submitted(
        caller, tasks_data=..., command="render <frame args>", frame_range="1-10", chunk_size="4"
    )

    assert [(task["tid"], task["command"], task["frames"]) for task in record["tasks"]] == [
        ("000", "render 1-4", "1-4"),
        ("001", "render 5-8", "5-8"),
        ("002", "render 9-10", "9-10"),
    ]


def test_a_small_request_does_not_make_commands_that_fill_the_memory(fake: Fake) -> None:
    caller = fake.caller()
    answer = caller.submit(tasks_data=..., command="x" * 10_000, frame_range="1-1000000")

    assert answer.status == 400
    assert "more than can be held" in answer.message
    assert caller.jobs() == []


def test_an_upload_only_job_is_done_when_its_files_are_there(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    record = synced(caller, **UPLOAD_ONLY, upload_files=[job_file("/proj/a.ma", b"scene")])

    assert (record["status"], record["tasks"]) == ("success", [])


@pytest.mark.parametrize(
    ("frame_range", "tasks"), [(..., 0), ("x", 0), ("", 0), (None, 0), ("1-2", 2)], ids=str
)
def test_an_upload_only_job_has_no_frames(fake: Fake, frame_range: Any, tasks: int) -> None:
    """With frames it is a command like any other, which happens to read so."""
    caller = fake.caller()
    fields = {**UPLOAD_ONLY, "frame_range": frame_range}
    jid = caller.submit(**fields).json()["jobid"]

    assert len(caller.get("/api/v1/tasks", query={"filter": f"jobLabel_eq_{jid}"}).json()["data"]) == tasks


def test_an_md5_with_stray_bits_names_the_content_that_was_uploaded(fake: Fake) -> None:
    """The last letter of a base64 md5 has four bits that say nothing."""
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    md5 = md5_of(b"scene")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = md5[:21] + letters[letters.index(md5[21]) + 1] + "=="
    file = {**job_file("/proj/a.ma", b"scene"), "md5": stray}

    assert synced(caller, upload_files=[file], local_upload=True)["status"] == "pending"


@pytest.mark.parametrize("local_upload", [..., None], ids=["nothing said", "null"])
def test_a_file_without_md5_is_missing_where_it_was_to_be_uploaded_before_the_job(
    fake: Fake, local_upload: Any
) -> None:
    files = [{"destination": "/proj/a.ma", "md5": None}]
    record = synced(fake.caller(), upload_files=files, local_upload=local_upload)

    assert record["status"] == "sync_failed"
    assert record["status_description"] == "1 files were never uploaded: /proj/a.ma"


def test_a_job_whose_files_were_never_uploaded_fails_to_sync_and_says_which(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    files = [job_file("/proj/a.ma", b"scene"), job_file("/proj/b.ma", b"never sent")]
    record = synced(caller, upload_files=files, local_upload=True)

    assert record["status"] == "sync_failed"
    assert record["status_description"] == "1 files were never uploaded: /proj/b.ma"
    assert record["upload"] == {**NOT_BROUGHT, "local": True, "files": 2, "size": 15, "status": None}
    assert warnings_of(caller) == ["upload_files: '/proj/b.ma' was never uploaded"]


def test_what_another_account_uploaded_does_not_count(fake: Fake) -> None:
    fake.caller("other").upload("/proj/a.ma", b"scene")
    record = synced(fake.caller(), upload_files=[job_file("/proj/a.ma", b"scene")])

    assert record["status"] == "sync_failed"


def test_a_file_is_known_by_its_content_and_not_by_its_path(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")

    assert synced(caller, upload_files=[job_file("/proj/renamed.ma", b"scene")])["status"] == "pending"


def test_a_job_for_a_daemon_waits_for_its_files(fake: Fake) -> None:
    record = synced(fake.caller(), upload_files=[job_file("/proj/a.ma", b"x", md5=None)], local_upload=False)

    assert record["status"] == "upload_pending"
    assert record["upload"] == {**NOT_BROUGHT, "local": False, "files": 1, "size": 1, "status": "pending"}


def test_a_job_without_files_does_not_wait_for_a_daemon(fake: Fake) -> None:
    assert synced(fake.caller(), local_upload=False)["status"] == "pending"


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"scout_frame": "1"}, "/scout_frame is not in the contract; did you mean 'scout_frames'?"),
        (
            {"machine_type": "x"},
            "/machine_type is not in the contract; did you mean 'machine_flavor'?",
        ),
        ({"quite_another": 1}, "/quite_another is not in the contract"),
        ({"environment": {"A": True}}, "/environment/A must be text or a whole number, got true"),
        ({"environment": {"A": 1.5}}, "/environment/A must be text or a whole number, got 1.5"),
        ({"environment": {"A": 1.0}}, "/environment/A must be text or a whole number, got 1.0"),
        ({"environment": {"A/B": None}}, "/environment/A~1B must be text or a whole number, got null"),
        ({"project": "nobody's"}, '/project the catalogue has no project "nobody\'s"'),
        (
            {"software_package_ids": ["7208372e306614d514944938c395e0e7", "0123"]},
            "/software_package_ids/1 the catalogue has no package '0123'",
        ),
        ({"instance_type": "cray-1"}, "/instance_type the catalogue has no instance type 'cray-1'"),
        ({"instance_type": ..., "cores": 3}, "/cores the catalogue has no instance type 'n1-standard-3'"),
        (
            {"tasks_data": [{"command": "a", "frame": "1"}]},
            "/tasks_data/0/frame is not in the contract; did you mean 'frames'?",
        ),
    ],
)
def test_what_is_unknown_is_a_warning_or_refused_when_strict(
    shared_fake: Fake, fields: dict[str, Any], warning: str
) -> None:
    caller = shared_fake.newcomer()
    record = submitted(caller, **fields)
    assert record["warnings"] == warnings_of(caller) == [warning]

    with running(strict=True) as strict:
        answer = strict.caller().submit(**fields)
        place, _, message = warning.partition(" ")
        assert (answer.status, answer.faults) == (400, {place: message})
        assert answer.message == f"strict: {warning}"
        assert strict.caller().jobs() == []


def test_a_variable_may_be_a_whole_number_which_is_kept_as_sent_and_reaches_the_task_as_text() -> None:
    sent = {"ONE": 1, "ZERO": 0, "BIG": 2**70, "TEXT": "1"}
    with running(strict=True) as fake:
        caller = fake.caller()
        record = submitted(caller, environment=sent)
        (task,) = caller.get("/api/v1/tasks").json()["data"]

    assert record["payload"]["environment"] == sent
    assert {type(value) for name, value in record["payload"]["environment"].items() if name != "TEXT"} == {
        int
    }
    assert task["environment"] == {"ONE": "1", "ZERO": "0", "BIG": str(2**70), "TEXT": "1"}


def test_what_is_no_value_of_a_variable_reaches_the_task_as_its_json_and_null_not_at_all(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit(environment={"YES": True, "NO": False, "HALF": 0.5, "NOTHING": None})
    (task,) = caller.get("/api/v1/tasks").json()["data"]

    assert task["environment"] == {"YES": "true", "NO": "false", "HALF": "0.5"}


def test_a_strict_server_takes_what_it_knows() -> None:
    with running(strict=True) as fake:
        assert fake.caller().submit().status == 201


def test_a_job_with_a_million_oddities_is_warned_about_a_few_times(fake: Fake) -> None:
    caller = fake.caller()
    record = submitted(caller, software_package_ids=[f"{number}" for number in range(5000)])

    assert len(record["warnings"]) == len(warnings_of(caller)) == 51
    assert record["warnings"][-1] == "there is more to warn about, which is left out"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tasks_data": ...}, "/tasks_data"),
        ({"tasks_data": []}, "/tasks_data"),
        ({"tasks_data": [{"command": ""}]}, "/tasks_data/0/command"),
        ({"tasks_data": [{"frames": "1"}]}, "/tasks_data/0/command"),
        ({"tasks_data": ["render"]}, "/tasks_data/0"),
        ({"instance_type": ...}, "/instance_type"),
        ({"instance_type": ""}, "/instance_type"),
        ({"instance_type": 5}, "/instance_type"),
        ({"priority": "high"}, "/priority"),
        ({"priority": 1.5}, "/priority"),
        ({"priority": 10**30}, "/priority"),
        ({"priority": True}, "/priority"),
        ({"chunk_size": 0}, "/chunk_size"),
        ({"environment": {"A": ["1"]}}, "/environment/A"),
        ({"environment": []}, "/environment"),
        ({"autoretry_policy": {"failed": {"max_retries": 6}}}, "/autoretry_policy/failed/max_retries"),
        ({"notify": ["a@b"]}, "/notify"),
        ({"local_upload": "yes"}, "/local_upload"),
        ({"upload_files": [{"destination": "relative"}]}, "/upload_files/0/destination"),
        ({"upload_files": [{"destination": "/nul\0"}]}, "/upload_files/0/destination"),
        (
            {"upload_files": [job_file("/a", b"", md5="d41d8cd98f00b204e9800998ecf8427e")]},
            "/upload_files/0/md5",
        ),
        ({"upload_files": [job_file("/a", b"", md5=None)], "local_upload": True}, "/upload_files/0/md5"),
        ({"tasks_data": ..., "command": "render"}, "/frame_range"),
        ({"tasks_data": ..., "command": "render", "frame_range": "many"}, "/frame_range"),
        ({"instance_type": ..., "cores": 1, "machine_flavor": "highmem"}, "/cores"),
        ({"instance_type": ..., "cores": 2, "machine_flavor": "huge"}, "/machine_flavor"),
    ],
)
def test_a_payload_that_cannot_be_meant_is_refused_by_its_place(
    shared_fake: Fake, fields: dict[str, Any], place: str
) -> None:
    caller = shared_fake.newcomer()
    answer = caller.submit(**fields)

    assert answer.status == 400
    assert place in answer.faults
    assert answer.message.startswith("jobs.create: the request body is not valid")
    assert caller.jobs() == []


def test_several_faults_are_named_at_once(fake: Fake) -> None:
    answer = fake.caller().submit(priority="high", tasks_data=[{"command": ""}], environment=[])

    assert set(answer.faults) == {"/priority", "/tasks_data/0/command", "/environment"}


def jids(caller: ApiCaller, text: str) -> list[str]:
    return [job["jid"] for job in caller.jobs(filter=text)]


def test_jobs_are_filtered(fake: Fake) -> None:
    caller = fake.caller()
    for project in ("default", "demo", "default"):
        caller.submit(project=project)
        caller.post("/_mock/clock", {"advance": 86400}, query={"account": "studio"})

    assert jids(caller, "") == ["00001", "00002", "00003"]
    assert jids(caller, "jid_gt_00001,jid_lt_00003") == ["00002"]  # both bounds are exclusive (trap 38)
    assert jids(caller, "jid_eq_2") == ["00002"]
    assert jids(caller, "project_eq_default") == ["00001", "00003"]
    assert jids(caller, f"account_id_eq_{account_id('studio')}") == ["00001", "00002", "00003"]
    assert jids(caller, "account_id_eq_7") == []
    assert jids(caller, "created_gt_2026-01-02,created_lt_2026-01-03") == ["00002"]
    assert jids(caller, "nothing_eq_x") == []


@pytest.mark.parametrize(
    ("fields", "names"),
    [("jid", {"jid"}), (" jid , title,nonsense", {"jid", "title"}), ("nonsense", set())],
)
def test_the_fields_of_a_list_are_those_that_were_asked_for(fake: Fake, fields: str, names: set[str]) -> None:
    caller = fake.caller()
    caller.submit()
    assert [set(job) for job in caller.jobs(fields=fields)] == [names]
    assert len(caller.jobs(fields="")[0]) > 10


def test_one_job_is_shown_with_its_tasks(fake: Fake) -> None:
    caller = fake.caller()
    jid = caller.submit().json()["jobid"]
    shown = caller.get(f"/api/v1/client/jobs/{jid}").json()["data"]
    assert (shown["jid"], len(shown["tasks"])) == (jid, 1)


def test_unknown_query_parameters_are_ignored(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit()

    assert len(caller.jobs(fields="title,jid", page="2", limit="0")) == 1


@pytest.mark.parametrize("text", ["jid", "jid_00001", "jid_ge_00001", "_eq_", "\u00e9"])
def test_a_filter_that_cannot_be_understood_is_refused(fake: Fake, text: str) -> None:
    answer = fake.caller().get("/api/v1/jobs", query={"filter": text})

    assert (answer.status, list(answer.faults)) == (400, ["filter"])


def test_a_filter_with_very_long_digits_is_compared_all_the_same(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit()

    assert jids(caller, "jid_lt_" + "9" * 6000) == ["00001"]
    assert jids(caller, "jid_gt_" + "9" * 6000) == []


def test_accounts_do_not_see_each_other(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    one.submit(job_title="secret")

    assert other.jobs() == []
    assert other.get("/_mock/jobs", query={"account": "other"}).json() == {"jobs": []}
    assert other.get("/_mock/jobs/00001", query={"account": "other"}).status == 404
    listed = other.get("/_mock/requests", query={"account": "other", "operation": "jobs.create"}).json()
    assert listed == {"requests": [], "forgotten": 0}


def test_a_big_job_is_kept_whole(fake: Fake) -> None:
    caller = fake.caller()
    tasks = [{"command": f"render -f {number}", "frames": str(number)} for number in range(20_000)]
    record = submitted(caller, tasks_data=tasks)

    assert [task["command"] for task in record["tasks"]] == [task["command"] for task in tasks]
    assert record["tasks"][-1]["tid"] == "19999"
    assert caller.jobs()[0]["tasks"] == 20_000


def test_numbers_of_any_size_in_free_fields_come_back(fake: Fake) -> None:
    metadata = {"big": 10**4000, "small": -1e-300, "deep": [[{"a": None}]], "text": "\u0000\u2028"}
    caller = fake.caller()
    caller.submit(metadata=metadata)

    assert caller.jobs()[0]["metadata"] == metadata


def test_the_last_of_two_equal_keys_counts(fake: Fake) -> None:
    caller = fake.caller()
    body = json.dumps(job_payload()).encode()[:-1] + b', "job_title": "the second"}'

    assert caller.post("/jobs/", data=body).status == 201
    assert caller.jobs()[0]["title"] == "the second"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json; charset=x", ""]
)
def test_another_content_type_is_a_warning_at_most(fake: Fake, content_type: str) -> None:
    caller = fake.caller()
    data = json.dumps(job_payload()).encode()

    assert caller.post("/jobs/", data=data, headers={"Content-Type": content_type}).status == 201
    assert len(warnings_of(caller)) == (content_type != "")
