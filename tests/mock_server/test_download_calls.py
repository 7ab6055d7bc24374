"""What downloaders ask and report over HTTP: the pages of a job, what is handed out, what was fetched or not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.api import downloads
from support.server import ApiCaller, Fake

TASKS = 7


def rendered(caller: ApiCaller, tasks: int = TASKS, **fields: Any) -> str:
    entries = [{"command": f"render {number}", "frames": str(number)} for number in range(tasks)]
    jid = str(caller.submit(tasks_data=entries, **fields).json()["jobid"])
    query = {"account": caller.client_id}
    assert caller.post("/_mock/clock", {"until": {"job": jid}}, query=query).status == 200
    return jid


@pytest.fixture(scope="module")
def seven(shared_fake: Fake) -> tuple[ApiCaller, str]:
    """A caller with a job of seven tasks that have outputs."""
    caller = shared_fake.caller("seven")
    return caller, rendered(caller)


@given(
    limit=st.integers(1, TASKS + 1) | st.none(),
    tids=st.none() | st.lists(st.integers(0, TASKS + 1), max_size=TASKS),
    padded=st.booleans(),
)
def test_the_pages_of_a_job_are_its_outputs_in_order_none_twice(
    seven: tuple[ApiCaller, str], limit: int | None, tids: list[int] | None, padded: bool
) -> None:
    caller, jid = seven
    named = None if tids is None else [f"{tid:03d}" if padded else str(tid) for tid in tids]
    query: dict[str, str] = {} if limit is None else {"limit": str(limit)}
    pages: list[dict[str, Any]] = []
    while not pages or "start_cursor" in query:
        answer = caller.post(f"/jobs/{jid}/downloads", {"tids": named}, query=query)
        assert answer.status == 201
        pages.append(answer.json())
        query.pop("start_cursor", None)
        if pages[-1]["next_cursor"] is not None:
            query["start_cursor"] = pages[-1]["next_cursor"]
    wanted = [f"{index:03d}" for index in range(TASKS) if tids is None or index in tids]
    assert [task["task_id"] for page in pages for task in page["downloads"]] == wanted
    counts = [len(page["downloads"]) for page in pages]
    assert all(count == limit for count in counts[:-1])
    assert counts[-1] <= (limit or TASKS)
    assert len(pages) == 1 or counts[-1] > 0, "a page without anything is none"


def test_a_page_has_a_hundred_outputs_unless_asked_and_a_thousand_at_most() -> None:
    assert (downloads.DEFAULT_PAGE, downloads.MAX_PAGE) == (100, 1000)


def test_a_page_that_nobody_says_the_size_of_has_the_usual_one(
    seven: tuple[ApiCaller, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, jid = seven
    monkeypatch.setattr(downloads, "DEFAULT_PAGE", 3)
    answer = caller.post(f"/jobs/{jid}/downloads", {}).json()
    assert ([task["task_id"] for task in answer["downloads"]], answer["next_cursor"]) == (
        ["000", "001", "002"],
        "after-2",
    )


@pytest.mark.parametrize("limit", ["2", "900"])
def test_never_more_than_the_most_are_handed_out(
    shared_fake: Fake, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    caller = shared_fake.newcomer()
    rendered(caller, tasks=3)
    monkeypatch.setattr(downloads, "MAX_PAGE", 2)
    assert len(caller.post("/jobs/00001/downloads", {}, query={"limit": limit}).json()["downloads"]) == 2
    assert len(caller.get("/downloads/next", query={"count": limit}).json()["data"]) == 2


def test_a_page_makes_what_is_on_it_and_one_more_to_know_whether_there_is_another(shared_fake: Fake) -> None:
    """Outputs are drawn when somebody asks for them, and a job may have a hundred thousand."""
    caller = shared_fake.newcomer()
    jid = rendered(caller)
    caller.post(f"/jobs/{jid}/downloads", {}, query={"limit": "2", "start_cursor": "after-0"})
    made = [task.outputs is not None for task in shared_fake.state(caller).jobs[int(jid)].tasks]
    assert made == [False, True, True, True, False, False, False]


def test_only_the_first_page_of_a_job_without_any_output_is_204(
    seven: tuple[ApiCaller, str], shared_fake: Fake
) -> None:
    caller, jid = seven
    other = shared_fake.newcomer()
    waiting = other.submit().json()["jobid"]
    none = other.post(f"/jobs/{waiting}/downloads", {})
    assert (none.status, none.content) == (204, b"")
    empty: dict[str, Any] = {"downloads": [], "next_cursor": None}
    for asking, job, body, query in (
        (other, waiting, {}, {"start_cursor": "after-0"}),
        (caller, jid, {"tids": ["900"]}, {}),
        (caller, jid, {"tids": []}, {}),
        (caller, jid, {}, {"start_cursor": f"after-{TASKS}"}),
    ):
        answer = asking.post(f"/jobs/{job}/downloads", body, query=query)
        assert (answer.status, answer.json()) == (201, empty)


@pytest.mark.parametrize(
    "cursor", ["after-", "after-x", "2", "after-1-", "xafter-1", "after-" + "1" * 13, "after-²"]
)
def test_a_cursor_that_nobody_handed_out_is_refused(seven: tuple[ApiCaller, str], cursor: str) -> None:
    caller, jid = seven
    answer = caller.post(f"/jobs/{jid}/downloads", {}, query={"start_cursor": cursor})
    assert answer.status == 400
    assert f"start_cursor: {cursor[:40]!r} is not a cursor" in answer.message
    taken = caller.post(f"/jobs/{jid}/downloads", {}, query={"start_cursor": "after-" + "1" * 12})
    assert taken.status == 201


@pytest.mark.parametrize("spelling", ["3", "003", "0003"])
def test_older_downloaders_ask_for_a_job_or_one_task_of_it(
    seven: tuple[ApiCaller, str], spelling: str
) -> None:
    caller, jid = seven
    whole = caller.get(f"/downloads/{int(jid)}")
    one = caller.get(f"/downloads/{jid}", query={"tid": spelling})
    assert (whole.status, one.status) == (201, 201)
    records = whole.json()["downloads"]
    assert [task["task_id"] for task in records] == [f"{index:03d}" for index in range(TASKS)]
    (record,) = one.json()["downloads"]
    assert {**record, "files": None} == {**records[3], "files": None}
    assert [file["md5"] for file in record["files"]] == [file["md5"] for file in records[3]["files"]]
    assert [re.sub(r"\?.*", "", file["url"]) for file in record["files"]] == [
        re.sub(r"\?.*", "", file["url"]) for file in records[3]["files"]
    ]
    for nobody in ("x", "900", "1" * 13):
        assert caller.get(f"/downloads/{jid}", query={"tid": nobody}).json() == {"downloads": []}


def test_the_status_call_is_no_job(shared_fake: Fake) -> None:
    answer = shared_fake.newcomer().get("/downloads/status")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_downloader_is_given_one_task_unless_it_asks_for_more_and_only_of_its_location(
    shared_fake: Fake,
) -> None:
    caller = shared_fake.newcomer()
    rendered(caller, tasks=4)
    rendered(caller, tasks=1, location="here")

    def given(**query: str) -> list[tuple[str, str]]:
        answer = caller.get("/downloads/next", query=query)
        assert answer.status in (201, 204)
        tasks = answer.json()["data"] if answer.status == 201 else []
        assert (answer.status == 201) == bool(tasks)
        return [(task["job_id"], task["task_id"]) for task in tasks]

    assert given(location="there") == []
    assert given() == [("00001", "000")]
    assert given(count="2") == [("00001", "001"), ("00001", "002")]
    assert given(count="9", location="here") == [("00002", "000")]
    assert given(count="9") == [("00001", "003")]
    assert given(count="9") == []


@pytest.mark.parametrize("by", ["status", "fail"])
def test_outputs_that_are_given_back_are_offered_again_with_nothing_of_them_fetched(
    shared_fake: Fake, by: str
) -> None:
    caller = shared_fake.newcomer()
    jid = rendered(caller, tasks=1)

    def report(status: str, **more: Any) -> None:
        body = {"download_id": "d00001-000-1", "status": status, **more}
        answer = caller.post("/downloads/status", body)
        assert (answer.status, answer.json()) == (200, {"status": "success"})

    for _ in range(2):
        assert caller.get("/downloads/next").status == 201
        report("downloading", bytes_downloaded=5)
        download = shared_fake.state(caller).jobs[int(jid)].tasks[0].download
        assert download is not None
        assert (download.status, download.bytes_downloaded) == ("downloading", 5)
        if by == "fail":
            answer = caller.request("POST", "/downloads/d00001-000-1/fail", data=b"no disk")
            assert (answer.status, answer.json()) == (200, {"status": "success"})
        else:
            report("pending")
        assert (download.status, download.bytes_downloaded) == ("pending", 0)
    assert caller.get("/downloads/next").status == 201
    report("downloaded", bytes_downloaded=None)
    seq = shared_fake.state(caller).seq
    report("downloaded")
    assert shared_fake.state(caller).seq == seq, "it was known"
    assert caller.get("/downloads/next").status == 204
    caller.request("POST", "/downloads/d00001-000-1/fail", data=b"")
    assert caller.get("/downloads/next").status == 201


def test_the_reason_of_a_downloader_that_gives_up_is_seen_by_who_looks(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    rendered(caller, tasks=1)
    caller.request("POST", "/downloads/d00001-000-1/fail", data=b"no disk")
    query = {"account": caller.client_id, "operation": "downloads.fail"}
    (entry,) = caller.get("/_mock/requests", query=query).json()["requests"]
    assert "no disk" in str(entry)


def test_a_download_that_is_not_there_is_404(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    body = {"download_id": "d00009-000-1", "status": "downloaded"}
    assert caller.post("/downloads/status", body).status == 404
    assert caller.request("POST", "/downloads/d00009-000-1/fail", data=b"").status == 404
    assert caller.post("/jobs/00009/downloads", {}).status == 404
    assert caller.get("/downloads/00009").status == 404
