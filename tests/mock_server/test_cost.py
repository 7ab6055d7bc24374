"""What it costs to ask for one thing does not grow with what is finished beside it: counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from support.server import ApiCaller, Fake, job_payload, running

FEW, MANY = 10, 150


def finished_jobs(fake: Fake, count: int) -> ApiCaller:
    """An account with so many jobs that are done and reviewed, then one that is done, then one for a daemon."""
    caller = fake.newcomer()
    for _ in range(count):
        assert caller.submit().status == 201
    clock(caller, 3600)
    done = {"action": "reviewed", "jobids": [f"{number + 1:05d}" for number in range(count)]}
    assert caller.request("PUT", "/jobs_multi", body=done).status == 200
    assert caller.submit().status == 201
    clock(caller, 3600)
    files = [{"destination": "/proj/a.ma", "md5": None, "st_size": 1, "st_mode": 33188}]
    assert caller.post("/jobs/", job_payload(local_upload=False, upload_files=files)).status == 201
    return caller


def clock(caller: ApiCaller, seconds: int) -> None:
    assert (
        caller.post("/_mock/clock", {"advance": seconds}, query={"account": caller.client_id}).status == 200
    )


def steps(do: Callable[[], Any]) -> int:
    """How many lines of Python `do` executes, in this thread."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        do()
    finally:
        sys.settrace(before)
    return count


def asked(caller: ApiCaller, count: int) -> dict[str, Callable[[], Any]]:
    """Requests that ask for one thing, in an account as `finished_jobs` makes it."""
    done = f"{count + 1:05d}"
    return {
        "jobs.get": lambda: caller.get(f"/api/v1/client/jobs/{done}"),
        "jobs.list of one": lambda: caller.get("/api/v1/jobs", query={"filter": f"jid_eq_{done}"}),
        "tasks.list of one": lambda: caller.get(
            "/api/v1/tasks", query={"filter": f"jobLabel_eq_{done},taskLabel_eq_000"}
        ),
        "logs.get": lambda: caller.get(f"/get_log_file?job={done}&task=000&num_lines[]=0"),
        "downloads.get": lambda: caller.get(f"/downloads/{done}"),
        "downloads.next": lambda: caller.get("/downloads/next"),
        "fileio.next": lambda: caller.get("/api/v1/fileio/downloader/next"),
        "uploads.next": lambda: caller.request("PUT", "/uploads/client/next", body={}),
        "jobs.create": lambda: caller.submit(),
    }


def costs(fake: Fake, count: int) -> dict[str, int]:
    """Steps of each request beside so many finished jobs."""
    caller = finished_jobs(fake, count)
    caller.get(f"/downloads/{count + 1:05d}")  # what is made when first asked for is made
    return {name: steps(request) for name, request in asked(caller, count).items()}


def least(count: int) -> dict[str, int]:
    """The lesser of two `costs`: what Python keeps (patterns, statements) may just have to be made anew."""
    with running() as fake:
        first, second = costs(fake, count), costs(fake, count)
    return {name: min(first[name], second[name]) for name in first}


def test_asking_for_one_thing_costs_the_same_however_much_is_finished() -> None:
    few, many = least(FEW), least(MANY)

    dearer = {name: (few[name], many[name]) for name in few if many[name] > few[name] * 1.1}
    assert not dearer, f"steps beside {FEW} finished jobs, and beside {MANY}"


def test_what_costs_more_is_noticed() -> None:
    """The count above is only as good as this: every round of a loop counts."""

    def look(many: int) -> int:
        return sum(number for number in range(many))

    assert steps(lambda: look(500)) > steps(lambda: look(5)) + 400
