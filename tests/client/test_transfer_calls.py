"""The calls about downloads and uploads: what is sent, what is made of the answers, what is done about bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from conductor.lib.download.calls import DownloadsApi, DownloadStatus, read_task
from conductor.lib.exceptions import ConductorError, OutcomeUnknownError, UnexpectedAnswerError
from conductor.lib.upload.calls import ClaimedUpload, UploadsApi
from support.client_world import URL, make_client, md5_of

MD5 = md5_of(b"x")
FILE = {"url": "http://store.test/1", "relative_path": "a.png", "md5": MD5, "size": 1, "output_dir": "/out"}
TASK = {"download_id": "d-1", "job_id": "00001", "task_id": "003", "size": 1, "files": [FILE]}


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[DownloadsApi]:
    with make_client(tmp_path) as client:
        yield DownloadsApi(client)


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[UploadsApi]:
    with make_client(tmp_path) as client:
        yield UploadsApi(client)


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_a_page_is_asked_for_with_its_tasks_limit_and_cursor(
    downloads: DownloadsApi, mock: responses.RequestsMock
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
    page = downloads.page("00001", ["003"], limit=3, cursor="c1")
    assert page.next_cursor == "c2"
    (task,) = page.tasks
    assert (task.download_id, task.job_id, task.task_id, task.size) == ("d-1", "00001", "003", 1)
    assert task.files[0].output_dir == "/out"
    assert "store.test" not in repr(task)


def test_a_cursor_that_stays_the_same_ends_the_pages(
    downloads: DownloadsApi, mock: responses.RequestsMock
) -> None:
    mock.post(f"{URL}/jobs/1/downloads", status=201, json={"downloads": [], "next_cursor": "again"})
    assert len(list(downloads.pages("1"))) == 2


def test_a_hand_out_names_count_and_location(downloads: DownloadsApi, mock: responses.RequestsMock) -> None:
    query = matchers.query_param_matcher({"count": "7", "location": "mars"})
    mock.get(f"{URL}/downloads/next", status=201, json={"data": [TASK]}, match=[query])
    assert [task.download_id for task in downloads.next("mars", count=7)] == ["d-1"]


def test_nothing_to_hand_out_is_no_task(downloads: DownloadsApi, mock: responses.RequestsMock) -> None:
    mock.get(f"{URL}/downloads/next", status=204, match=[matchers.query_param_matcher({"count": "50"})])
    assert downloads.next() == ()


def test_a_report_has_the_fields_of_the_protocol(
    downloads: DownloadsApi, mock: responses.RequestsMock
) -> None:
    body = {"download_id": "d", "status": "pending", "bytes_downloaded": 3, "bytes_to_download": 9}
    mock.post(f"{URL}/downloads/status", match=[matchers.json_params_matcher(body)])
    downloads.report("d", DownloadStatus.PENDING, bytes_downloaded=3, bytes_to_download=9)


@pytest.mark.parametrize("ask", ["downloads", "uploads"])
def test_a_hand_out_whose_answer_is_lost_is_not_asked_for_again(
    downloads: DownloadsApi, uploads: UploadsApi, mock: responses.RequestsMock, ask: str
) -> None:
    mock.get(f"{URL}/downloads/next", status=500)
    mock.put(f"{URL}/uploads/client/next", status=500)
    calls: dict[str, Callable[[], Any]] = {"downloads": downloads.next, "uploads": uploads.next}
    with pytest.raises(OutcomeUnknownError):
        calls[ask]()
    assert len(mock.calls) == 1
    mock.assert_all_requests_are_fired = False


def test_a_claim_names_the_location_and_gives_the_files(
    uploads: UploadsApi, mock: responses.RequestsMock
) -> None:
    data = {"id": "u-1", "project": "p", "upload_files": {"/a": None, "/b": MD5}}
    mock.put(
        f"{URL}/uploads/client/next",
        status=201,
        json={"data": data},
        match=[matchers.json_params_matcher({"location": "mars"})],
    )
    assert uploads.next("mars") == ClaimedUpload("u-1", "p", {"/a": None, "/b": MD5})


def test_no_job_that_waits_is_no_claim(uploads: UploadsApi, mock: responses.RequestsMock) -> None:
    mock.put(
        f"{URL}/uploads/client/next", status=204, match=[matchers.json_params_matcher({"location": None})]
    )
    assert uploads.next("") is None


def test_the_reports_of_an_upload_have_the_fields_of_the_protocol(
    uploads: UploadsApi, mock: responses.RequestsMock
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
    uploads.update("u/1", bytes_to_send=9, bytes_sent=3)
    uploads.finish("u/1", {"/a": MD5})
    uploads.fail("u/1", "no such file: ü")
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
    downloads: DownloadsApi, mock: responses.RequestsMock, body: Any
) -> None:
    mock.post(f"{URL}/jobs/1/downloads", status=201, json=body)
    with pytest.raises(UnexpectedAnswerError, match=r"downloads\.page"):
        downloads.page("1")


@pytest.mark.parametrize(
    "data",
    [None, [], {"upload_files": {}}, {"id": "u", "upload_files": []}, {"id": "u", "upload_files": {"/a": 3}}],
)
def test_a_claim_that_breaks_the_protocol_is_named(
    uploads: UploadsApi, mock: responses.RequestsMock, data: Any
) -> None:
    mock.put(f"{URL}/uploads/client/next", status=201, json={"data": data})
    with pytest.raises(OutcomeUnknownError, match=r"uploads\.next"):
        uploads.next()


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


def test_an_unreadable_claim_says_that_it_was_made(uploads: UploadsApi, mock: responses.RequestsMock) -> None:
    mock.put(f"{URL}/uploads/client/next", status=201, body=json.dumps([]))
    with pytest.raises(ConductorError) as caught:
        uploads.next()
    assert caught.value.acted.value == "yes"
