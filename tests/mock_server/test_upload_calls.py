"""What uploader daemons ask and report over HTTP: uploads.next, update, finish and fail."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_mock.api import uploads
from support.server import ApiCaller, Fake, job_file, md5_of


def claim(caller: ApiCaller, location: str | None = None) -> dict[str, Any] | None:
    answer = caller.request("PUT", "/uploads/client/next", body={"location": location})
    assert answer.status in (201, 204), answer
    return answer.json()["data"] if answer.status == 201 else None


def for_a_daemon(caller: ApiCaller, *files: dict[str, Any], **fields: Any) -> str:
    return str(caller.submit(local_upload=False, upload_files=list(files), **fields).json()["jobid"])


def status(caller: ApiCaller, jid: str) -> tuple[str, str]:
    job = caller.get(f"/_mock/jobs/{jid}", query={"account": caller.client_id}).json()
    return job["status"], job["status_description"]


def test_a_daemon_is_given_the_oldest_job_of_its_location_and_nobody_else_is(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    for location in ("here", "", "here"):
        fields = {"location": location} if location else {}
        for_a_daemon(caller, job_file("/a", b"a", md5=None), job_file("/b", b"b"), project="film", **fields)
    given = [claim(caller, location) for location in ("here", "there", None, "here", "here", None)]
    wanted = {"/a": None, "/b": md5_of(b"b")}
    assert given == [
        {"id": "u00001", "project": "film", "upload_files": wanted},
        None,
        {"id": "u00002", "project": "film", "upload_files": wanted},
        {"id": "u00003", "project": "film", "upload_files": wanted},
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        ({"transfer_size": 9, "bytes_transfered": 4, "bytes_transferred": 5}, (9, 4)),
        ({"transfer_size": 9, "bytes_transferred": 5}, (9, 5)),
        ({}, (0, 0)),
        ({"transfer_size": None, "bytes_transfered": None}, (0, 0)),
    ],
    ids=["both spellings", "the right spelling", "nothing", "nulls"],
)
def test_progress_is_what_the_report_says_else_nothing(
    shared_fake: Fake, report: dict[str, Any], counts: tuple[int, int]
) -> None:
    caller = shared_fake.newcomer()
    jid = for_a_daemon(caller, job_file("/a", b"a", md5=None))
    claim(caller)
    answer = caller.post("/uploads/u00001/update", {"upload_id": "u00001", **report})
    assert (answer.status, answer.json()) == (200, {"status": "success"})
    shown = caller.get(f"/_mock/jobs/{jid}", query={"account": caller.client_id}).json()["upload"]
    assert (shown["bytes_to_send"], shown["bytes_sent"]) == counts


@pytest.mark.parametrize(
    ("reported", "end"),
    [
        ({}, "syncing"),
        (None, "syncing"),
        ({"/a": {"md5": md5_of(b"a")}}, "syncing"),
        ({"/a": {"md5": None}}, "syncing"),
        ({"/a": {}}, "syncing"),
        ({"/a": {"md5": md5_of(b"never sent")}}, "failed"),
        ({"/elsewhere": {"md5": md5_of(b"a")}}, "syncing"),
    ],
    ids=[
        "nothing",
        "null",
        "the md5 that is held",
        "a null",
        "no md5",
        "an md5 that is not held",
        "another file",
    ],
)
def test_the_store_decides_whether_the_files_of_a_finished_upload_are_there(
    shared_fake: Fake, reported: Any, end: str
) -> None:
    caller = shared_fake.newcomer()
    jid = for_a_daemon(caller, job_file("/a", b"a", md5=None))
    claim(caller)
    caller.upload("/a", b"a")
    answer = caller.post("/uploads/u00001/finish", {"upload_id": "u00001", "upload_files": reported})
    assert (answer.status, answer.json()) == (200, {"status": "success"})
    assert status(caller, jid)[0] == end


def test_what_only_another_account_holds_is_not_there(shared_fake: Fake) -> None:
    caller, other = shared_fake.newcomer(), shared_fake.newcomer()
    other.upload("/a", b"theirs")
    jid = for_a_daemon(caller, job_file("/a", b"theirs", md5=None))
    claim(caller)
    for md5 in (None, md5_of(b"theirs")):
        caller.post("/uploads/u00001/finish", {"upload_id": "u00001", "upload_files": {"/a": {"md5": md5}}})
        assert status(caller, jid)[0] == "failed"


def test_an_md5_with_stray_bits_is_the_one_that_is_held(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    jid = for_a_daemon(caller, job_file("/a", b"a", md5=None))
    claim(caller)
    caller.upload("/a", b"a")
    md5 = md5_of(b"a")
    stray = md5[:21] + chr(ord(md5[21]) + 1) + "=="
    caller.post("/uploads/u00001/finish", {"upload_id": "u00001", "upload_files": {"/a": {"md5": stray}}})
    assert status(caller, jid)[0] == "syncing"


@pytest.mark.parametrize("call", ["update", "finish", "fail"])
def test_a_report_on_what_has_ended_is_acknowledged_and_changes_nothing(shared_fake: Fake, call: str) -> None:
    """An answer may have been lost."""
    caller = shared_fake.newcomer()
    jid = for_a_daemon(caller, job_file("/a", b"a", md5=None))
    claim(caller)
    caller.upload("/a", b"a")
    ends = {"update": "finish", "finish": "finish", "fail": "fail"}
    body = {"upload_id": "u00001", "upload_files": {}}
    first, again = ends[call], call
    for name in (first, again):
        data = b"gave up" if name == "fail" else None
        answer = caller.request("POST", f"/uploads/u00001/{name}", body=None if data else body, data=data)
        assert (answer.status, answer.json()) == (200, {"status": "success"})
        seq = shared_fake.state(caller).seq
        shown = status(caller, jid)
    assert seq == shared_fake.state(caller).seq
    assert seq == {"update": 4, "finish": 4, "fail": 4}[call], "opened, made, claimed, ended"
    assert shown[0] == ("failed" if call == "fail" else "syncing")


@pytest.mark.parametrize("call", ["update", "finish", "fail"])
def test_an_upload_that_is_not_there_is_404(shared_fake: Fake, call: str) -> None:
    caller = shared_fake.newcomer()
    body = {"upload_id": "u00009", "upload_files": {}}
    assert caller.post(f"/uploads/u00009/{call}", body).status == 404


def test_the_reason_of_a_daemon_is_kept_up_to_its_limit(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    jid = for_a_daemon(caller, job_file("/a", b"a", md5=None))
    claim(caller)
    reason = b" \n" + b"\xff" + b"r" * uploads.MAX_REASON
    answer = caller.request("POST", "/uploads/u00001/fail", data=reason)
    assert (answer.status, answer.json()) == (200, {"status": "success"})
    assert status(caller, jid) == ("failed", "\ufffd" + "r" * (64 * 1024 - 3))
