"""The same submission sent twice makes one job: Idempotency-Key on `POST /jobs/`."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from support.server import ApiCaller, Fake, job_file, job_payload, running

KEY = {"Idempotency-Key": "3f0c0d6a"}


@pytest.fixture
def fake() -> Iterator[Fake]:
    with running() as opened:
        yield opened


def test_the_first_answer_comes_again_whatever_happened_since(fake: Fake) -> None:
    caller = fake.newcomer()
    first = caller.post("/jobs/", job_payload(), headers=KEY)
    caller.post("/_mock/clock", {"advance": 3600}, query={"account": caller.client_id})
    caller.submit(job_title="another")
    again = caller.post("/jobs/", job_payload(), headers=KEY)
    assert (again.status, again.content) == (first.status, first.content)
    assert [job["title"] for job in caller.jobs()] == ["A test", "another"]


def test_another_body_with_the_key_is_refused_by_name_and_declares_no_file(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.upload("/proj/a.ma", b"a")
    caller.post("/jobs/", job_payload(), headers=KEY)
    before = caller.files()
    files = [job_file("/proj/b.ma", b"a")]
    other = caller.post("/jobs/", job_payload(upload_files=files), headers=KEY)
    assert other.status == 409
    assert "3f0c0d6a" in other.message
    assert "job 00001" in other.message
    assert len(caller.jobs()) == 1
    assert caller.files() == before


def test_the_same_object_in_other_bytes_is_another_body(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.post("/jobs/", data=b'{"instance_type": "m", "tasks_data": [{"command": "c"}]}', headers=KEY)
    other = caller.post(
        "/jobs/", data=b'{"instance_type":"m", "tasks_data": [{"command": "c"}]}', headers=KEY
    )
    assert other.status == 409


def test_a_key_belongs_to_its_account(fake: Fake) -> None:
    one, other = fake.newcomer(), fake.newcomer()
    assert [caller.post("/jobs/", job_payload(), headers=KEY).status for caller in (one, other)] == [201, 201]
    assert [len(caller.jobs()) for caller in (one, other)] == [1, 1]


@pytest.mark.parametrize("key", ["", "k" * 256, "k\u00e9y"])
def test_a_key_that_cannot_be_kept_is_refused(fake: Fake, key: str) -> None:
    caller = fake.newcomer()
    answer = caller.post("/jobs/", job_payload(), headers={"Idempotency-Key": key})
    assert (answer.status, list(answer.faults)) == (400, ["Idempotency-Key"])
    assert caller.jobs() == []


def test_two_at_once_make_one_job(fake: Fake) -> None:
    """Threads give way to one another so often that a look-up before the lock would be seen."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(3):
            caller = fake.newcomer()
            start = threading.Barrier(8)

            def post(_: int, caller: ApiCaller = caller, start: threading.Barrier = start) -> bytes:
                mine = ApiCaller(fake.app, caller.client_id, caller.private_key, token=caller.token)
                start.wait(60)
                return mine.post("/jobs/", job_payload(), headers=KEY).content

            with ThreadPoolExecutor(8) as pool:
                answers = set(pool.map(post, range(8)))
            assert len(answers) == 1
            assert [job["jid"] for job in caller.jobs()] == ["00001"]
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("clean", [True, False], ids=["snapshot", "log"])
def test_a_key_survives_a_restart(tmp_path: Path, clean: bool) -> None:
    with running(data_dir=tmp_path) as fake:
        first = fake.caller().post("/jobs/", job_payload(), headers=KEY)
        if not clean:
            fake.crash()
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        again = caller.post("/jobs/", job_payload(), headers=KEY)
        assert (again.status, again.content) == (201, first.content)
        assert len(caller.jobs()) == 1


def test_every_answer_says_that_keys_are_honoured(fake: Fake) -> None:
    """Of every route by every method, to whoever asks: successes, refusals, what there is not, faults."""
    caller, anonymous = fake.caller(), fake.anonymous()
    paths = {re.sub("<[^>]*>", "1", rule.rule) for rule in fake.app.url_map.iter_rules()}
    statuses = set()
    for path, method in product(
        [*sorted(paths), "/nowhere"], ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
    ):
        for asking in (caller, anonymous):
            answer = asking.request(method, path)
            assert answer.headers["X-Conductor-Mock-Idempotency"] == "Idempotency-Key", (method, path)
            statuses.add(answer.status)
    assert statuses >= {200, 400, 401, 404, 405}
    token = f"/api/oauth_jwt?client_id={caller.client_id}&client_secret=wrong"
    assert anonymous.get(token).headers["X-Conductor-Mock-Idempotency"] == "Idempotency-Key"
    rule = {"match": {}, "fault": {"kind": "status", "status": 503}}
    assert caller.post("/_mock/faults", rule).status < 300
    refused = caller.get("/api/v1/jobs")
    assert (refused.status, refused.headers["X-Conductor-Mock-Idempotency"]) == (503, "Idempotency-Key")


def test_a_fake_that_does_as_the_service_says_nothing_and_makes_two_jobs() -> None:
    with running(honour_keys=False) as fake:
        caller = fake.newcomer()
        answers = [caller.post("/jobs/", job_payload(), headers=KEY) for _ in range(2)]
        assert [answer.json()["jobid"] for answer in answers] == ["00001", "00002"]
        assert "X-Conductor-Mock-Idempotency" not in answers[0].headers


def test_the_first_answer_comes_again_when_the_catalogue_has_changed_since() -> None:
    """Under --strict another such job would be refused."""
    with running(strict=True) as fake:
        caller = fake.caller()
        first = caller.post("/jobs/", job_payload(), headers=KEY)
        document = fake.service.catalog.to_document()
        document = {**document, "projects": [one for one in document["projects"] if one["name"] != "default"]}
        query = {"account": caller.client_id}
        assert caller.request("PUT", "/_mock/catalog", body=document, query=query).status == 200

        again = caller.post("/jobs/", job_payload(), headers=KEY)
        assert (again.status, again.content) == (first.status, first.content)
        assert caller.post("/jobs/", job_payload(), headers={"Idempotency-Key": "another"}).status == 400
