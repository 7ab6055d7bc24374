"""Jobs and tasks: what is asked of the service, and what is made of its records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import BadArgumentError, RefusedError
from conductor.lib.jobs import Job, get_job, list_jobs
from conductor.lib.statuses import TaskStatus
from conductor.lib.tasks import get_task, list_tasks
from conductor.lib.wire.records import job_id, number, task_id
from support.client_world import URL

JOBS = f"{URL}/api/v1/jobs"


def record(jid: str, **more: Any) -> dict[str, Any]:
    return {
        "jid": jid,
        "status": "running",
        "owner": "kim",
        "project": "film",
        "created": "2024-04-10T09:00:00Z",
        **more,
    }


def asked(mock: responses.RequestsMock) -> list[str]:
    """The filters of the requests so far, decoded."""
    queries = [parse_qs(urlsplit(call.request.url or "").query) for call in mock.calls]
    return [query.get("filter", [""])[0] for query in queries]


def test_a_record_is_read_with_its_counters(mock: responses.RequestsMock, client: ApiClient) -> None:
    body = record(
        "00012", title="T", tasks=4, running=1, success="2", pending=None, total_runtime=61, new="?"
    )
    mock.add("GET", JOBS, json={"data": [body]})
    [job] = list_jobs(client=client)
    assert (job.jid, job.title, job.status, job.owner, job.project) == (
        "00012",
        "T",
        "running",
        "kim",
        "film",
    )
    assert (job.tasks, job.runtime, job.finished_tasks) == (4, 61.0, 2)
    assert {name: count for name, count in job.counts.items() if count} == {"running": 1, "success": 2}
    assert job.record["new"] == "?"


def test_a_record_may_lack_everything() -> None:
    job = Job.from_record({})
    assert (job.jid, job.tasks, job.runtime, set(job.counts.values())) == ("", 0, 0.0, {0})
    assert Job.from_record({"submittedBy": "kim", "tasks": [{}, {}]}).tasks == 2


def test_jobs_are_asked_for_by_exclusive_padded_bounds(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", JOBS, json={"data": [record("00013"), record("00012"), record("00014")]})
    assert [job.jid for job in list_jobs(jids=["14", 12, "00012"], client=client)] == ["00012", "00014"]
    assert asked(mock) == ["jid_gt_00011,jid_lt_00015"]
    assert "%2C" in (mock.calls[0].request.url or "")


def test_jobs_that_lie_far_apart_are_asked_for_one_by_one(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", JOBS, json={"data": [record("00001")]})
    mock.add("GET", JOBS, json={"data": [record("90000")]})
    assert [job.jid for job in list_jobs(jids=[90000, 1], client=client)] == ["00001", "90000"]
    assert asked(mock) == ["jid_gt_00000,jid_lt_00002", "jid_gt_89999,jid_lt_90001"]


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({}, ["00001", "00002", "100000"]),
        ({"statuses": ["running", "failed"]}, ["00001", "00002"]),
        ({"project": "film"}, ["00001", "100000"]),
        ({"owner": "kim"}, ["00001", "00002"]),
        ({"since": date(2024, 4, 11)}, ["00002", "100000"]),
        ({"owner": "kim", "project": "film"}, ["00001"]),
        ({"jids": []}, []),
    ],
)
def test_what_the_service_does_not_filter_is_filtered_here(
    client: ApiClient, wish: dict[str, Any], found: list[str]
) -> None:
    late = "2024-04-11T00:00:00Z"
    records = [
        record("100000", owner="alex", status="success", created=late),
        record("00002", project="ad", status="failed", created=late),
        record("00001"),
    ]
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add("GET", JOBS, json={"data": records})
        assert [job.jid for job in list_jobs(**wish, client=client)] == found


def test_the_first_day_is_asked_of_the_service_too(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", JOBS, json={"data": None})
    assert list_jobs(since=date(2024, 4, 11), client=client) == []
    assert asked(mock) == ["created_gt_2024-04-11"]


def test_a_job_that_there_is_not_is_named(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", JOBS, json={"data": [record("00001"), record("00003")]})
    with pytest.raises(RefusedError, match="there is no job 00002"):
        get_job(2, client=client)


@pytest.mark.parametrize(
    ("status", "counts", "ended", "succeeded"),
    [
        ("running", {"running": 1}, False, False),
        ("holding", {"holding": 1}, False, False),
        ("syncing", {}, False, False),
        ("something new", {}, False, False),
        ("failed", {"failed": 1, "running": 1}, False, False),
        ("preempted", {"preempted": 1, "pending": 1}, False, False),
        ("failed", {"failed": 1, "success": 1}, True, False),
        ("sync_failed", {}, True, False),
        ("killed", {}, True, False),
        ("success", {"success": 1}, True, True),
        ("downloaded", {}, True, True),
        ("reviewed", {}, True, True),
    ],
)
def test_a_job_has_ended_when_nothing_more_will_happen(
    status: str, counts: dict[str, int], ended: bool, succeeded: bool
) -> None:
    job = Job.from_record({"jid": "00001", "status": status, **counts})
    assert set(counts) <= set(TaskStatus)
    assert (job.has_ended, job.succeeded) == (ended, succeeded)


def test_tasks_are_asked_for_by_label_and_sorted(mock: responses.RequestsMock, client: ApiClient) -> None:
    records = [{"taskLabel": tid, "status": "success", "runtime": 5} for tid in ("1000", "003", "011")]
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": records})
    tasks = list_tasks("12", client=client)
    assert [(task.tid, task.has_ended, task.runtime) for task in tasks] == [
        *(("003", True, 5.0), ("011", True, 5.0), ("1000", True, 5.0))
    ]
    assert get_task(12, 3, client=client).tid == "003"
    assert asked(mock) == ["jobLabel_eq_00012", "jobLabel_eq_00012,taskLabel_eq_003"]


def test_a_task_that_there_is_not_is_named(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": []})
    with pytest.raises(RefusedError, match="no task 003 of job 00012"):
        get_task(12, 3, client=client)


@pytest.mark.parametrize("pad", [job_id, task_id])
@pytest.mark.parametrize("given", ["", "x", "-1", "1.5", "1,2", None, True, 1.0, "٣", "9" * 19])
def test_an_id_that_is_none_is_refused_before_anything_is_sent(
    pad: Callable[[object], str], given: object
) -> None:
    with pytest.raises(BadArgumentError, match=r"accepted: a (job|task) id such as"):
        pad(given)


def test_ids_are_padded_and_grow() -> None:
    assert (job_id("12"), job_id(695), job_id("0000012"), job_id("123456")) == (
        "00012",
        "00695",
        "00012",
        "123456",
    )
    assert (task_id(3), task_id("1000")) == ("003", "1000")


@pytest.mark.parametrize(
    ("given", "read"),
    [("7.2", 7.2), (3, 3.0), (None, 0.0), ("x", 0.0), ("nan", 0.0), ("inf", 0.0), ([], 0.0)],
)
def test_numbers_may_come_as_text_and_never_break_anything(given: object, read: float) -> None:
    assert number(given) == read
