"""What becomes of a submission before anything is stored: which files it wants, which are missing, whose key it has."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_mock.farm import fold
from conductor_mock.farm.commands import JobCreated
from conductor_mock.farm.decisions import create_job, job_of_key, uploaded_files, uploaded_md5s
from conductor_mock.farm.payload import Submission, read
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import StateForbidsError
from support.server import job_payload
from support.simulated import MACHINE, Farm

MD5, OTHER = "kAFQmDzST7DWlj99KOF/cg==", "1B2M2Y8AsgTpgAmY7PhCfg=="
FILES = [
    {"destination": "/a", "md5": MD5},
    {"destination": "/b", "md5": OTHER},
    {"destination": "/c", "md5": None},
    {"destination": "/d", "md5": MD5},
]


def submission(**fields: Any) -> Submission:
    return read(job_payload(upload_files=FILES, **fields))


def decided(held: set[str], **fields: Any) -> JobCreated:
    return create_job(submission(**fields), body_sha256="b" * 64, machine=MACHINE, held=held)


@pytest.mark.parametrize("local_upload", [True, None, ...])
def test_what_was_to_be_uploaded_before_the_job_and_is_not_held_is_missing(local_upload: Any) -> None:
    assert decided({MD5}, local_upload=local_upload).missing == ("/b", "/c")
    assert decided(set(), local_upload=local_upload).missing == ("/a", "/b", "/c", "/d")
    assert uploaded_md5s(submission(local_upload=local_upload)) == {MD5, OTHER}


def test_nothing_is_missing_where_a_daemon_is_to_bring_it() -> None:
    assert decided(set(), local_upload=False).missing == ()
    assert uploaded_md5s(submission(local_upload=False)) == set()
    assert uploaded_files(submission(local_upload=False), ()) == []


def test_the_files_that_were_uploaded_are_declared_under_all_their_paths() -> None:
    there = uploaded_files(submission(local_upload=True), ("/b", "/c"))
    assert there == [("/a", MD5), ("/d", MD5)]
    assert uploaded_files(submission(local_upload=True), ()) == [("/a", MD5), ("/b", OTHER), ("/d", MD5)]


def test_a_command_keeps_what_it_was_decided_by() -> None:
    made = create_job(
        submission(),
        body_sha256="b" * 64,
        machine=MACHINE,
        held={MD5, OTHER},
        warnings=["odd"],
        idempotency_key="key",
    )
    assert (made.payload, made.body_sha256, made.machine) == (submission().payload, "b" * 64, MACHINE)
    assert (made.warnings, made.idempotency_key, made.missing) == (("odd",), "key", ("/c",))
    assert decided(set()).warnings == ()
    assert decided(set()).idempotency_key is None


def test_a_key_leads_to_its_job_with_the_same_body_only() -> None:
    farm = Farm()
    first, second = (
        create_job(
            submission(), body_sha256=letter * 64, machine=MACHINE, held={MD5, OTHER}, idempotency_key=letter
        )
        for letter in "ab"
    )
    for command in (first, second):
        fold.follow(farm.state, Record(farm.state.seq + 1, farm.state.now_us, command))
    assert job_of_key(farm.state, "a", "a" * 64) is farm.state.jobs[1]
    assert job_of_key(farm.state, "b", "b" * 64) is farm.state.jobs[2]
    assert job_of_key(farm.state, "c", "a" * 64) is None
    assert job_of_key(farm.state, None, "a" * 64) is None
    with pytest.raises(StateForbidsError) as refused:
        job_of_key(farm.state, "a", "c" * 64)
    assert str(refused.value).startswith(
        "Idempotency-Key 'a' made job 00001, with another body (sha256 aaaaaaaaaaaa..., now cccccccccccc...);"
    )
