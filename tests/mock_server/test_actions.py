"""Every action on a job or task in every status: it is done, or refused with the status as the reason."""

from __future__ import annotations

from typing import Any

import pytest

from support.server import Answer, ApiCaller, Fake, job_file, running

ACTIONS = (
    "kill", "hold", "unhold", "retry", "retry_failed", "retry_preempted", "retry_sync", "reviewed", "release_scouts",
    "priority", "instance_type",
)  # fmt: skip
ON_TASKS = ("kill", "hold", "unhold", "retry", "reviewed")

JOBS: dict[str, dict[str, str]] = {
    "upload_pending": {"kill": "killed", "hold": "upload_pending"},
    "uploading": {"kill": "killed", "hold": "uploading"},
    "upload failed": {},
    "syncing": {"kill": "killed", "hold": "syncing"},
    "sync_failed": {"kill": "killed", "hold": "sync_failed", "retry_sync": "syncing"},
    "pending": {"kill": "killed", "hold": "holding"},
    "holding": {"kill": "killed", "unhold": "pending", "release_scouts": "pending"},
    "running": {"kill": "killed"},
    "success": {"retry": "pending", "reviewed": "reviewed"},
    "downloaded": {"retry": "pending", "reviewed": "reviewed"},
    "failed": {"retry": "pending", "retry_failed": "pending"},
    "preempted": {"retry": "pending", "retry_preempted": "pending"},
    "killed": {"retry": "pending"},
    "reviewed": {"retry": "pending"},
}
"""What each action makes of a job of one task in a status. What is missing is refused."""

ENDED = {"upload failed", "success", "downloaded", "failed", "preempted", "killed", "reviewed"}
"""Nothing of them is changed any more but by an action above; all others take a priority and a machine."""

TASKS = {
    "pending": {"kill": "killed", "hold": "holding"},
    "holding": {"kill": "killed", "unhold": "pending"},
    "running": {"kill": "killed"},
    "success": {"retry": "pending", "reviewed": "reviewed"},
    "downloaded": {"retry": "pending", "reviewed": "reviewed"},
    "failed": {"retry": "pending"},
    "preempted": {"retry": "pending"},
    "killed": {"retry": "pending"},
    "reviewed": {"retry": "pending"},
    "upload failed": {},
}


def caller_with(fake: Fake, status: str) -> ApiCaller:
    """A new account whose job 00001, of one task, is in a status."""
    caller = fake.newcomer()
    if status in ("upload_pending", "uploading", "upload failed"):
        caller.submit(local_upload=False, upload_files=[job_file("/a", b"a", md5=None)])
        if status != "upload_pending":
            caller.request("PUT", "/uploads/client/next", body={"location": None})
        if status == "upload failed":
            caller.post("/uploads/u00001/fail", data=b"the disk broke")
        return caller
    caller.submit(upload_files=[job_file("/a", b"a")] if status == "sync_failed" else [])
    if status in ("pending", "running"):
        advance(caller, 6 if status == "pending" else 70)
    elif status == "holding":
        act(caller, "hold")
        advance(caller, 6)
    elif status in ("downloaded", "reviewed"):
        force(caller, "success")
        if status == "downloaded":
            record = caller.get("/downloads/00001").json()["downloads"][0]
            report = {"download_id": record["download_id"], "status": "downloaded"}
            caller.post("/downloads/status", report)
        else:
            act(caller, "reviewed")
    elif status in ("success", "failed", "preempted", "killed"):
        force(caller, status)
    return caller


def act(caller: ApiCaller, action: str, *, on_task: bool = False) -> Answer:
    ask = {"account": caller.client_id}
    if action == "priority":
        return caller.post("/_mock/jobs/00001", {"priority": 9}, query=ask)
    if action == "instance_type":
        return caller.post("/_mock/jobs/00001", {"instance_type": "n1-standard-8"}, query=ask)
    if on_task:
        body = {"action": action, "jobid": "00001", "taskids": ["000"]}
        return caller.request("PUT", "/tasks_multi", body=body)
    return caller.request("PUT", "/jobs_multi", body={"action": action, "jobids": ["00001"]})


def advance(caller: ApiCaller, seconds: float) -> None:
    answer = caller.post("/_mock/clock", {"advance": seconds}, query={"account": caller.client_id})
    assert answer.status == 200, answer


def force(caller: ApiCaller, status: str) -> Answer:
    return caller.post("/_mock/jobs/00001/tasks/000", {"status": status}, query={"account": caller.client_id})


def job(caller: ApiCaller) -> dict[str, Any]:
    found: dict[str, Any] = caller.get("/_mock/jobs/00001", query={"account": caller.client_id}).json()
    return found


def shown(caller: ApiCaller) -> tuple[Any, Any]:
    return job(caller), caller.jobs()


@pytest.mark.parametrize("status", JOBS)
def test_every_action_on_a_job_is_done_or_refused_with_the_status_as_the_reason(
    shared_fake: Fake, status: str
) -> None:
    name = "failed" if status == "upload failed" else status
    for action in ACTIONS:
        caller = caller_with(shared_fake, status)
        before = shown(caller)
        assert before[0]["status"] == name, action
        changes = {} if status in ENDED else {"priority": name, "instance_type": name}
        expected = {**JOBS[status], **changes}.get(action)
        answer = act(caller, action)
        if expected is None:
            assert answer.status == 409, (action, answer)
            assert f"00001 is {name}" in answer.message
            assert (
                action in ("priority", "instance_type") or f"{action} needs a job that is " in answer.message
            )
            assert shown(caller) == before, action
        else:
            assert answer.status == 200, (action, answer)
            assert job(caller)["status"] == expected, action


@pytest.mark.parametrize("status", TASKS)
def test_every_action_on_a_task_is_done_or_refused_with_the_status_as_the_reason(
    shared_fake: Fake, status: str
) -> None:
    for action in ON_TASKS:
        caller = caller_with(shared_fake, status)
        before = shown(caller)
        expected = TASKS[status].get(action)
        answer = act(caller, action, on_task=True)
        if expected is None:
            assert answer.status == 409, (action, answer)
            assert "is failed (the disk broke)" in answer.message or f"000 is {status}" in answer.message
            assert shown(caller) == before, action
        else:
            assert answer.status == 200, (action, answer)
            assert job(caller)["tasks"][0]["status"] == expected, action


@pytest.mark.parametrize("status", JOBS)
def test_a_task_is_forced_to_end_or_that_is_refused_with_the_reason(shared_fake: Fake, status: str) -> None:
    for outcome in ("success", "failed", "preempted", "killed"):
        caller = caller_with(shared_fake, status)
        before = shown(caller)
        answer = force(caller, outcome)
        if status in ENDED or status in ("upload_pending", "uploading", "sync_failed"):
            assert answer.status == 409
            assert shown(caller) == before
        else:
            assert answer.json()["status"] == outcome, (outcome, answer)


@pytest.mark.parametrize("action", ["explode", "", "KILL", "sync", "change_priority"])
def test_an_action_that_is_none_is_named_with_those_that_are(shared_fake: Fake, action: str) -> None:
    caller = caller_with(shared_fake, "running")
    before = shown(caller)
    for on_task in (False, True):
        answer = act(caller, action, on_task=on_task)

        assert answer.status == 400
        assert 'must be "kill", "hold", "unhold"' in answer.message
        assert f'got "{action}"' in answer.message
    assert shown(caller) == before


def test_an_action_for_whole_jobs_is_none_for_tasks(shared_fake: Fake) -> None:
    caller = caller_with(shared_fake, "failed")
    answer = act(caller, "retry_failed", on_task=True)

    assert answer.status == 400
    assert 'must be "kill", "hold", "unhold", "retry" or "reviewed"' in answer.message


@pytest.mark.parametrize("tid", ["001", "999999999999999999", "x", "-1", "0x0"])
def test_a_task_that_is_not_there_is_named_with_those_that_are(shared_fake: Fake, tid: str) -> None:
    caller = caller_with(shared_fake, "running")
    before = shown(caller)
    body = {"action": "kill", "jobid": "00001", "taskids": ["000", tid]}
    answers = [
        caller.request("PUT", "/tasks_multi", body=body),
        caller.post(
            f"/_mock/jobs/00001/tasks/{tid}", {"status": "failed"}, query={"account": caller.client_id}
        ),
    ]

    for answer in answers:
        assert answer.status == 404
        assert f"has no task {tid!r}; its tasks are 000 to 000" in answer.message
    assert shown(caller) == before  # the task that is there was not killed either


def test_another_priority_decides_who_is_next(fake: Fake) -> None:
    caller = fake.caller()
    ask = {"account": "studio"}
    caller.post("/_mock/options", {"fleet": 1}, query=ask)
    for _ in range(3):
        caller.submit()
    answer = caller.post("/_mock/jobs/3", {"priority": 6}, query=ask)
    caller.post("/_mock/clock", {"until": "idle"}, query=ask)
    begun = [
        record["tasks"][0]["attempts"][0]["started"]
        for record in caller.get("/_mock/jobs", query=ask).json()["jobs"]
    ]

    assert answer.json()["priority"] == 6
    assert begun[0] < begun[1]
    assert begun[2] < begun[1]


def test_attempts_under_way_keep_their_machine_and_its_price(fake: Fake) -> None:
    """One task a time, each for ten minutes after a minute's boot; the machine is changed in the second."""
    caller = fake.caller()
    ask = {"account": "studio"}
    caller.submit(
        instance_type="n1-standard-2",
        max_instances=1,
        metadata={"mock_duration": "600"},
        tasks_data=[{"command": "r"}] * 3,
    )
    advance(caller, 5 + 660 + 100)
    caller.post("/_mock/jobs/00001", {"instance_type": "n1-standard-8", "priority": -3}, query=ask)
    caller.post("/_mock/clock", {"until": "idle"}, query=ask)
    (usage,) = caller.get("/billing/get_usage").json()["data"]
    prices = {
        machine.name: machine.price_micro_usd_per_hour
        for machine in map(fake.service.catalog.machine, ("n1-standard-2", "n1-standard-8"))
        if machine is not None
    }
    log = caller.get("/get_log_file?job=00001&task=002&num_lines[]=0").json()["logs"][0]["log"]
    earlier = caller.get("/get_log_file?job=00001&task=001&num_lines[]=0").json()["logs"][0]["log"]

    spent = (2 * prices["n1-standard-2"] + prices["n1-standard-8"]) * 660 / 3600 / 1_000_000
    assert usage["instance_cost"] == pytest.approx(spent, abs=1e-6)
    assert usage["cores"] == pytest.approx((2 * 2 + 8) * 660 / 3600, abs=1e-4)
    assert "(n1-standard-8)" in log[1]
    assert "(n1-standard-2)" in earlier[1]
    assert caller.jobs()[0]["instance_type"] == "n1-standard-8"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"instance_type": "warp-drive"}, "/instance_type"),
        ({"instance_type": 5}, "/instance_type"),
        ({"instance_type": None}, "/instance_type"),
        ({"priority": "9"}, "/priority"),
        ({"priority": True}, "/priority"),
        ({"priority": 1.5}, "/priority"),
        ({"priority": None}, "/priority"),
        ({"priority": 1 << 63}, "/priority"),
        ({"priority": 1, "chunk_size": 2}, "/chunk_size"),
    ],
)
def test_a_change_that_cannot_be_meant_is_refused_by_name(
    shared_fake: Fake, body: dict[str, Any], path: str
) -> None:
    caller = caller_with(shared_fake, "running")
    before = shown(caller)
    answer = caller.post("/_mock/jobs/00001", body, query={"account": caller.client_id})

    assert answer.status == 400
    assert path in answer.faults
    assert shown(caller) == before


@pytest.mark.parametrize("body", [{}, [], "priority", None])
def test_a_change_of_nothing_is_refused(shared_fake: Fake, body: Any) -> None:
    caller = caller_with(shared_fake, "running")
    data = b"null" if body is None else None
    answer = caller.post("/_mock/jobs/00001", body, data=data, query={"account": caller.client_id})

    assert answer.status == 400
    assert "priority" in answer.message
    assert "instance_type" in answer.message


def test_a_job_that_is_not_there_is_not_changed(shared_fake: Fake) -> None:
    caller = caller_with(shared_fake, "running")

    assert act(caller, "priority").status == 200
    assert caller.post("/_mock/jobs/7", {"priority": 1}, query={"account": caller.client_id}).status == 404


def test_a_changed_job_is_the_same_after_a_restart(tmp_path: Any) -> None:
    with running(data_dir=tmp_path) as first:
        caller = first.caller()
        caller.submit(metadata={"mock_duration": "600"}, tasks_data=[{"command": "r"}] * 2, max_instances=1)
        advance(caller, 5 + 660 + 100)
        act(caller, "instance_type")
        advance(caller, 800)
        before = shown(caller), caller.get("/billing/get_usage").json()
    with running(data_dir=tmp_path) as again:
        caller = again.caller()

        assert (shown(caller), caller.get("/billing/get_usage").json()) == before


def test_a_job_is_shown_as_it_was(fake: Fake) -> None:
    caller = fake.caller()
    ask = {"account": "studio"}
    caller.submit(metadata={"mock_duration": "10"})
    caller.post("/_mock/clock", {"until": "idle"}, query=ask)

    def at(text: str) -> Answer:
        return caller.get("/_mock/jobs/1", query={**ask, "at": text})

    seen = [
        (at(text).json()["status"], at(text).json()["tasks"][0]["status"])
        for text in (
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:10",
            "2026-01-01T01:01:06+01:00",
            "2026-01-01T00:01:15Z",
        )
    ]
    assert seen == [
        ("syncing", "pending"),
        ("pending", "pending"),
        ("running", "running"),
        ("success", "success"),
    ]
    for text in ("2025-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "yesterday", ""):
        assert at(text).status == 400


def test_whoever_acts_on_jobs_is_told_so_as_the_vendors_pages_show_it(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(), caller.submit()
    answer = caller.request("PUT", "/jobs_multi", body={"action": "kill", "jobids": ["00001", "00002"]})
    assert answer.json() == {"body": "success", "message": "Jobs [u'00001', u'00002'] have been kill."}
