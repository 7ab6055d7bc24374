"""The calls about downloads and uploads: what is sent, what is made of the answers, what is done about bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from conductor.lib.api_client import ApiClient
from conductor.lib.download.records import DownloadPage, next_tasks, page_of, pages, read_task
from conductor.lib.exceptions import ConductorError, OutcomeUnknownError, UnexpectedAnswerError
from conductor.lib.upload.claims import ClaimedUpload, next_claim
from conductor.lib.wire.calls import Calls
from support.client_world import URL, md5_of

MD5 = md5_of(b"x")
FILE = {"url": "http://store.test/1", "relative_path": "a.png", "md5": MD5, "size": 1, "output_dir": "/out"}
TASK = {"download_id": "d-1", "job_id": "00001", "task_id": "003", "size": 1, "files": [FILE]}


@pytest.fixture
def calls(client: ApiClient) -> Calls:
    return client.calls


def test_a_page_is_asked_for_with_its_tasks_limit_and_cursor(
    calls: Calls, mock: responses.RequestsMock
) -> None:
    mock.post(
        f"{URL}/jobs/00001/downloads",
        status=201,
        json={"downloads": [TASK], "next_cursor": "c2"},
        match=[
            matchers.query_param_matcher({"limit": "3", "start_cursor": "c1"}),
            matchers.json_params_matcher({"tids": ["003"]}),
        ],
    )
    page = page_of(calls.downloads_page("00001", ["003"], limit=3, cursor="c1"))
    assert page.next_cursor == "c2"
    (task,) = page.tasks
    assert (task.download_id, task.job_id, task.task_id, task.size) == ("d-1", "00001", "003", 1)
    assert task.files[0].output_dir == "/out"
    assert "store.test" not in repr(task)


def test_a_cursor_that_stays_the_same_ends_the_pages(calls: Calls, mock: responses.RequestsMock) -> None:
    mock.post(f"{URL}/jobs/1/downloads", status=201, json={"downloads": [], "next_cursor": "again"})
    assert len(list(pages(calls, "1"))) == 2


def test_a_hand_out_names_count_and_location(calls: Calls, mock: responses.RequestsMock) -> None:
    query = matchers.query_param_matcher({"count": "7", "location": "mars"})
    mock.get(f"{URL}/downloads/next", status=201, json={"data": [TASK]}, match=[query])
    assert [task.download_id for task in next_tasks(calls, "mars", count=7)] == ["d-1"]


def test_nothing_to_hand_out_is_no_task(calls: Calls, mock: responses.RequestsMock) -> None:
    mock.get(f"{URL}/downloads/next", status=204, match=[matchers.query_param_matcher({"count": "50"})])
    assert next_tasks(calls) == ()


def test_a_job_that_has_no_output_yet_has_one_empty_page(calls: Calls, mock: responses.RequestsMock) -> None:
    """Wire reference 12.4."""
    mock.post(f"{URL}/jobs/00001/downloads", status=204)
    assert list(pages(calls, "00001")) == [DownloadPage()]


def test_a_report_has_the_fields_of_the_protocol(calls: Calls, mock: responses.RequestsMock) -> None:
    body = {"download_id": "d", "status": "pending", "bytes_downloaded": 0, "bytes_to_download": 9}
    mock.post(f"{URL}/downloads/status", match=[matchers.json_params_matcher(body)])
    calls.downloads_report("d", "pending", bytes_to_download=9)


@pytest.mark.parametrize(
    ("method", "path", "ask"),
    [
        ("GET", "/downloads/next", lambda calls: calls.downloads_next(None, count=1)),
        ("PUT", "/uploads/client/next", lambda calls: calls.uploads_next(None)),
    ],
)
def test_a_hand_out_whose_answer_is_lost_is_not_asked_for_again(
    calls: Calls, mock: responses.RequestsMock, method: str, path: str, ask: Callable[[Calls], Any]
) -> None:
    mock.add(method, URL + path, status=500)
    with pytest.raises(OutcomeUnknownError):
        ask(calls)
    assert len(mock.calls) == 1


def test_a_claim_names_the_location_and_gives_the_files(calls: Calls, mock: responses.RequestsMock) -> None:
    data = {"id": "u-1", "project": "p", "upload_files": {"/a": None, "/b": MD5}}
    mock.put(
        f"{URL}/uploads/client/next",
        status=201,
        json={"data": data},
        match=[matchers.json_params_matcher({"location": "mars"})],
    )
    assert next_claim(calls, "mars") == ClaimedUpload("u-1", "p", {"/a": None, "/b": MD5})


def test_no_job_that_waits_is_no_claim(calls: Calls, mock: responses.RequestsMock) -> None:
    mock.put(
        f"{URL}/uploads/client/next", status=204, match=[matchers.json_params_matcher({"location": None})]
    )
    assert next_claim(calls, "") is None


def test_the_reports_of_an_upload_have_the_fields_of_the_protocol(
    calls: Calls, mock: responses.RequestsMock
) -> None:
    update = {"upload_id": "u/1", "transfer_size": 9, "bytes_transfered": 3}
    finish = {
        "upload_id": "u/1",
        "status": "server_pending",
        "upload_files": {"/a": {"source": "/a", "md5": MD5}},
    }
    mock.post(f"{URL}/uploads/u%2F1/update", match=[matchers.json_params_matcher(update)])
    mock.post(f"{URL}/uploads/u%2F1/finish", match=[matchers.json_params_matcher(finish)])
    mock.post(f"{URL}/uploads/u%2F1/fail")
    calls.uploads_update("u/1", bytes_to_send=9, bytes_sent=3)
    calls.uploads_finish("u/1", {"/a": MD5})
    calls.uploads_fail("u/1", "no such file: ü")
    assert mock.calls[2].request.body == "no such file: ü".encode()


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"downloads": {"a": 1}},
        {"downloads": [1]},
        {"downloads": [{**TASK, "download_id": None}]},
        {"downloads": [{**TASK, "files": {"a": 1}}]},
        {"downloads": [{**TASK, "files": [{**FILE, "url": "relative"}]}]},
        {"downloads": [{**TASK, "files": [{**FILE, "url": "http://host:port/"}]}]},
        {"downloads": [{**TASK, "files": [{**FILE, "md5": "deadbeef"}]}]},
        {"downloads": [{**TASK, "files": [{**FILE, "size": -1}]}]},
        {"downloads": [{**TASK, "files": [{**FILE, "size": "1"}]}]},
        {"downloads": [{**TASK, "files": [{**FILE, "relative_path": None}]}]},
        {"downloads": [], "next_cursor": {"a": 1}},
    ],
)
def test_a_page_that_breaks_the_protocol_is_named(
    calls: Calls, mock: responses.RequestsMock, body: Any
) -> None:
    mock.post(f"{URL}/jobs/1/downloads", status=201, json=body)
    with pytest.raises(UnexpectedAnswerError, match=r"downloads\.page"):
        page_of(calls.downloads_page("1", None, limit=1))


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"upload_files": {}},
        {"id": "u", "upload_files": []},
        {"id": "u", "upload_files": {"/a": 3}},
        {"id": "u", "upload_files": {"/a": None, "/b": 3}},
    ],
)
def test_a_claim_that_breaks_the_protocol_is_named(
    calls: Calls, mock: responses.RequestsMock, data: Any
) -> None:
    mock.put(f"{URL}/uploads/client/next", status=201, json={"data": data})
    with pytest.raises(OutcomeUnknownError, match=r"uploads\.next"):
        next_claim(calls)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted({**TASK, **FILE})), inner)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(sorted(TASK)), values),
    st.dictionaries(st.sampled_from(sorted(FILE)), values),
)
def test_any_record_is_read_or_refused_with_a_reason(task: dict[str, Any], file: dict[str, Any]) -> None:
    reason = ""
    try:
        read_task({**TASK, "files": [{**FILE, **file}], **task})
    except ValueError as error:
        reason = str(error) or "none"
    assert reason != "none"


def test_an_unreadable_claim_says_that_it_was_made(calls: Calls, mock: responses.RequestsMock) -> None:
    mock.put(f"{URL}/uploads/client/next", status=201, body=json.dumps([]))
    with pytest.raises(ConductorError) as caught:
        next_claim(calls)
    assert caught.value.acted.value == "yes"
