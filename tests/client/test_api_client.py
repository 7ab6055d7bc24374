"""Each call of the service: what is sent, and what each status comes to."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from conductor.lib import api_client
from conductor.lib.accounts import Variable, list_account_environment
from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import (
    Acted,
    BusyError,
    ConductorError,
    LoginError,
    OutcomeUnknownError,
    RefusedError,
    UnexpectedAnswerError,
)
from conductor.lib.logs import get_log
from conductor.lib.tasks import list_tasks
from conductor.lib.upload.multipart import etag_of
from conductor.lib.upload.plan import MultiPart, SinglePart, UploadPlan, plan_of
from conductor.lib.usage import get_compute_usage, get_storage_usage
from support.client_world import URL, FixedTokens, jwt, make_client, make_config, make_transport

DAY = date(2024, 4, 10)
KEY = {"client_id": "client-1", "private_key": "-----BEGIN KEY-----\nabc\n-----END KEY-----"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ApiClient]:
    with make_client(tmp_path, tokens=FixedTokens([jwt(), jwt(serial=1)])) as opened:
        yield opened


def nothing() -> io.RawIOBase:
    return io.FileIO("/dev/null")


def put(client: ApiClient) -> bytes:
    sent = client.calls.objects_put(f"{URL}/put", nothing, size=0, md5="md5==", about="/proj/a")
    return sent.answer.content


def put_part(client: ApiClient) -> str:
    sent = client.calls.objects_put_part(f"{URL}/put", nothing, size=0, about="/proj/a (part 2)")
    return etag_of(sent, 2, "/proj/a")


def complete(client: ApiClient) -> bytes:
    sent = client.calls.files_complete_multipart("up", "md5==", {2: "b", 1: "a"}, about="/proj/a")
    return sent.answer.content


def ask(client: ApiClient, project: str | None = None) -> UploadPlan:
    files = {"/a": ("m1", 1), "/b": ("m2", 10)}
    sizes = {path: size for path, (_, size) in files.items()}
    return plan_of(client.calls.files_get_upload_urls(files, project), sizes)


Invoke = Callable[[ApiClient], Any]

# name: method, path, a status and body that succeed, the call, what it returns
CALLS: dict[str, tuple[str, str, int, str, Invoke, Any]] = {
    "accounts.get": (
        *("GET", "/api/v1/accounts/5001", 200, '{"data": {"name": "acme"}}'),
        *(lambda client: client.get_account(), {"name": "acme"}),
    ),
    "packages.list": (
        *("GET", "/api/v1/ee/packages", 200, '{"data": [{"package_id": "a"}]}'),
        *(lambda client: client.list_packages(), [{"package_id": "a"}]),
    ),
    "projects.list": (
        *("GET", "/api/v1/projects/", 200, '{"data": [{"name": "a", "status": "active"}]}'),
        *(lambda client: client.list_projects(), [{"name": "a", "status": "active"}]),
    ),
    "instance_types.list": (
        *("GET", "/api/v1/instance-types", 200, '{"data": [{"name": "a"}]}'),
        *(lambda client: client.list_instance_types(), [{"name": "a"}]),
    ),
    "jobs.list": (
        *("GET", "/api/v1/jobs", 200, '{"data": [{"jid": "00001"}]}'),
        *(lambda client: client.list_jobs(), [{"jid": "00001"}]),
    ),
    "tasks.list": (
        *("GET", "/api/v1/tasks", 200, '{"data": [{"taskLabel": "003"}]}'),
        *(lambda client: [task.tid for task in list_tasks("12", client=client)], ["003"]),
    ),
    "logs.get": (
        *("GET", "/get_log_file", 200, '{"logs": [{"log": ["a"]}], "new_num_lines": [1]}'),
        *(lambda client: get_log("12", "3", client=client).lines, ("a",)),
    ),
    "env_vars.list": (
        *("GET", "/api/v1/integrations/env-vars-configs", 200),
        '{"data": [{"account_id": "5001", "env": [{"name": "A", "value": "b", "merge_policy": "append"}]}]}',
        *(lambda client: list_account_environment(client=client), [Variable("A", "b", "append")]),
    ),
    "billing.get_usage": (
        *("GET", "/billing/get_usage", 200, '{"data": []}'),
        *(lambda client: get_compute_usage(DAY, DAY, client=client), []),
    ),
    "billing.get_storage_usage": (
        *("GET", "/billing/get_storage_usage", 200, '{"data": [{"cost": "0.5"}]}'),
        *(lambda client: get_storage_usage(DAY, DAY, client=client).cost, 0.5),
    ),
    "files.get_upload_urls": (
        *("POST", "/api/v2/files/get_upload_urls", 200, "{}"),
        *(ask, UploadPlan()),
    ),
    "objects.put": ("PUT", "/put", 200, "", put, b""),
    "objects.put_part": ("PUT", "/put", 200, "", put_part, "etag"),
    "files.complete_multipart": (
        *("POST", "/api/v2/files/multipart/complete", 200, ""),
        *(complete, b""),
    ),
    "jobs.create": (
        *("POST", "/jobs/", 201, '{"jobid": "00695"}'),
        *(lambda client: client.create_job({"job_title": "T"}), ({"jobid": "00695"}, 201)),
    ),
}
SIGNED = ("objects.put", "objects.put_part")
STATEFUL = (*SIGNED, "files.complete_multipart")
LISTS = [name for name in CALLS if name.endswith(".list")]


def arrange(mock: responses.RequestsMock, name: str, status: int, body: str, **more: Any) -> Invoke:
    """Make the service answer the call with this, and return the call."""
    method, path, _, _, invoke, _ = CALLS[name]
    mock.add(method, URL + path, status=status, body=body, **more)
    return invoke


@pytest.mark.parametrize("name", CALLS)
def test_a_call_returns_what_the_service_says(
    mock: responses.RequestsMock, client: ApiClient, name: str
) -> None:
    _, _, status, body, _, result = CALLS[name]
    assert arrange(mock, name, status, body, headers={"ETag": '"etag"'})(client) == result
    headers = mock.calls[0].request.headers
    assert headers["User-Agent"].startswith("conductor-client/")
    if name in SIGNED:
        assert "Authorization" not in headers
        assert headers["Content-Type"] == "application/octet-stream"
    else:
        assert headers["Authorization"] == f"Bearer {jwt()}"
        assert headers["Content-Type"] == headers["Accept"] == "application/json"


@pytest.mark.parametrize("name", CALLS)
def test_a_4xx_is_final_and_means_that_nothing_was_done(
    mock: responses.RequestsMock, client: ApiClient, name: str
) -> None:
    for status in (400, 402, 404, 405, 409, 410, 413, 415, 422, 431):
        mock.reset()
        invoke = arrange(mock, name, status, '{"status": "error", "message": "because"}')
        with pytest.raises(RefusedError, match="because") as caught:
            invoke(client)
        error = caught.value
        assert (error.operation, error.status, error.attempts, error.acted) == (name, status, 1, Acted.NO)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_a_login_error_and_for_a_signed_url_a_refusal(
    mock: responses.RequestsMock, client: ApiClient, name: str, status: int
) -> None:
    invoke = arrange(mock, name, status, "who?")
    with pytest.raises(RefusedError if name in SIGNED else LoginError, match="who") as caught:
        invoke(client)
    renewed = status == 401 and name not in SIGNED
    asked = [call for call in mock.calls if call.request.method == CALLS[name][0]]
    assert (caught.value.attempts, len(asked)) == ((2, 2) if renewed else (1, 1))
    assert (caught.value.operation, caught.value.status) == (name, status)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "jobs.create"])
def test_not_now_is_repeated_five_times_in_all(
    mock: responses.RequestsMock, tmp_path: Path, name: str
) -> None:
    for status in (408, 429, 500, 502, 503, 504):
        waits: list[float] = []
        mock.reset()
        invoke = arrange(mock, name, status, "later")
        client = make_client(tmp_path, waits=waits, tokens=FixedTokens([jwt()]))
        with client, pytest.raises(BusyError, match="later") as caught:
            invoke(client)
        assert (caught.value.operation, caught.value.status, caught.value.attempts) == (name, status, 5)
        assert waits == [0.5, 1.0, 2.0, 4.0]
        expected = Acted.UNKNOWN if name in STATEFUL and status >= 500 else Acted.NO
        assert caught.value.acted is expected, status


@pytest.mark.parametrize("name", [name for name in CALLS if name != "jobs.create"])
def test_a_repeated_call_succeeds_in_the_end(mock: responses.RequestsMock, tmp_path: Path, name: str) -> None:
    _, _, status, body, _, result = CALLS[name]
    arrange(mock, name, 503, "later", headers={"Retry-After": "9"})
    invoke = arrange(mock, name, status, body, headers={"ETag": "etag"})
    waits: list[float] = []
    with make_client(tmp_path, waits=waits, tokens=FixedTokens([jwt()])) as client:
        assert invoke(client) == result
    assert waits == [9.0]


@pytest.mark.parametrize("name", [name for name in CALLS if name not in (*STATEFUL, "jobs.create")])
def test_a_status_that_the_protocol_does_not_know_is_an_unexpected_answer(
    mock: responses.RequestsMock, client: ApiClient, name: str
) -> None:
    for status, body in ((202, "{}"), (304, ""), (302, ""), (501, ""), (505, "")):
        mock.reset()
        invoke = arrange(mock, name, status, body)
        with pytest.raises(UnexpectedAnswerError) as caught:
            invoke(client)
        assert (caught.value.operation, caught.value.status, caught.value.attempts) == (name, status, 1)


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_of_an_upload_is_a_success(
    mock: responses.RequestsMock, client: ApiClient, name: str, status: int
) -> None:
    assert arrange(mock, name, status, "", headers={"ETag": '"etag"'})(client) == CALLS[name][5]


@pytest.mark.parametrize("name", [*LISTS, "accounts.get", "files.get_upload_urls"])
@pytest.mark.parametrize("body", ["<html>", "[1]", '{"data": "text"}', '{"data": [1]}', "{", "[" * 100_000])
def test_a_body_that_breaks_the_protocol_is_an_unexpected_answer(
    mock: responses.RequestsMock, client: ApiClient, name: str, body: str
) -> None:
    if name == "files.get_upload_urls" and "data" in body:
        body = body.replace("data", "singlePartURLs")
    invoke = arrange(mock, name, 200, body)
    with pytest.raises(UnexpectedAnswerError, match="breaks the protocol") as caught:
        invoke(client)
    assert caught.value.acted is Acted.NO


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("body", ["{}", '{"data": null}', '{"data": []}'])
def test_a_list_without_data_is_empty(
    mock: responses.RequestsMock, client: ApiClient, name: str, body: str
) -> None:
    assert arrange(mock, name, 200, body)(client) == []


def test_packages_are_asked_for_as_the_vendors_client_does(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    arrange(mock, "packages.list", 200, "{}")(client)
    assert mock.calls[0].request.url == f"{URL}/api/v1/ee/packages?all=true,"


def test_projects_are_the_active_ones_unless_asked_otherwise(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    projects = [{"name": "a", "status": "active"}, {"name": "b", "status": "inactive"}]
    mock.add("GET", f"{URL}/api/v1/projects/", json={"data": projects})
    assert client.list_projects() == projects[:1]
    assert client.list_projects(["inactive"]) == projects[1:]
    assert client.list_projects(()) == projects


def test_a_filter_is_sent_whole_and_encoded(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", f"{URL}/api/v1/instance-types", json={})
    mock.add("GET", f"{URL}/api/v1/jobs", json={})
    client.list_instance_types("cores=gte:8:int,gpu.gpu_count=eq:1:int")
    client.list_jobs("jid_gt_00011,jid_lt_00013")
    queries = [parse_qs(urlsplit(call.request.url or "").query) for call in mock.calls]
    assert queries[0] == {"filter": ["cores=gte:8:int,gpu.gpu_count=eq:1:int"]}
    assert queries[1] == {"filter": ["jid_gt_00011,jid_lt_00013"]}
    assert "filter=jid_gt_00011%2Cjid_lt_00013" in (mock.calls[1].request.url or "")


def test_a_token_without_an_account_is_a_login_error(tmp_path: Path) -> None:
    client = make_client(tmp_path, tokens=FixedTokens([jwt(account=None)]))
    with client, pytest.raises(LoginError, match="names no account"):
        client.get_account()


def log_in(tmp_path: Path) -> ApiClient:
    config = make_config(tmp_path, api_key=json.dumps(KEY))
    return ApiClient(config, transport=make_transport())


def test_a_key_is_exchanged_for_a_token_as_the_reference_says(
    mock: responses.RequestsMock, tmp_path: Path, home: Path
) -> None:
    mock.add("GET", f"{URL}/api/oauth_jwt", json={"access_token": jwt(), "expires_in": "3600"})
    mock.add("GET", f"{URL}/api/v1/projects/", json={})
    with log_in(tmp_path) as client:
        client.list_projects()
    assert parse_qs(urlsplit(mock.calls[0].request.url or "").query) == {
        "grant_type": ["client_credentials"],
        "scope": ["owner admin user"],
        "client_id": ["client-1"],
        "client_secret": [KEY["private_key"]],
    }
    assert "scope=owner+admin+user" in (mock.calls[0].request.url or "")
    assert "Authorization" not in mock.calls[0].request.headers
    assert mock.calls[1].request.headers["Authorization"] == f"Bearer {jwt()}"
    assert (home / ".config/conductor/api_key_credentials").exists()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_key_is_a_login_error_that_says_where_keys_come_from(
    mock: responses.RequestsMock, tmp_path: Path, status: int
) -> None:
    mock.add("GET", f"{URL}/api/oauth_jwt", status=status, json={"message": "unknown key"})
    with (
        log_in(tmp_path) as client,
        pytest.raises(LoginError, match=r"unknown key.*CONDUCTOR_API_KEY") as caught,
    ):
        client.list_projects()
    assert (caught.value.operation, caught.value.status, caught.value.attempts) == ("auth.token", status, 1)
    assert "abc" not in str(caught.value)


def test_a_service_without_a_token_endpoint_is_a_refusal(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    mock.add("GET", f"{URL}/api/oauth_jwt", status=404)
    with log_in(tmp_path) as client, pytest.raises(RefusedError, match="404 Not Found"):
        client.list_projects()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": "x"},
        {"access_token": 5, "expires_in": 1},
        {"access_token": "x", "expires_in": "soon"},
    ],
)
def test_a_token_answer_that_lacks_something_is_an_unexpected_answer(
    mock: responses.RequestsMock, tmp_path: Path, body: dict[str, Any]
) -> None:
    mock.add("GET", f"{URL}/api/oauth_jwt", json=body)
    with log_in(tmp_path) as client, pytest.raises(UnexpectedAnswerError, match="access_token"):
        client.list_projects()


def test_upload_urls_are_asked_for_as_the_reference_says(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("POST", f"{URL}/api/v2/files/get_upload_urls", json={})
    ask(client, "film")
    ask(client)
    bodies = [json.loads(call.request.body or "") for call in mock.calls]
    assert bodies[0] == {
        "upload_files": [{"path": "/a", "hash": "m1", "size": 1}, {"path": "/b", "hash": "m2", "size": 10}],
        "project": "film",
    }
    assert bodies[1]["project"] is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (204, ""),
        (200, ""),
        (200, "{}"),
        (200, "null"),
        (200, '{"singlePartURLs": []}'),
        (200, '{"multiPartURLs": null}'),
    ],
)
def test_nothing_to_upload_can_be_said_in_many_ways(
    mock: responses.RequestsMock, client: ApiClient, status: int, body: str
) -> None:
    assert arrange(mock, "files.get_upload_urls", status, body)(client) == UploadPlan()


def part(number: Any, url: Any = "http://s/p") -> dict[str, Any]:
    return {"partNumber": number, "url": url}


def multi(**changes: Any) -> dict[str, Any]:
    record = {"uploadID": "u", "filePath": "/b", "fileSize": 10, "partSize": 6, "parts": [part(1), part(2)]}
    return {"multiPartURLs": [{**record, **changes}]}


def single(**changes: Any) -> dict[str, Any]:
    return {"singlePartURLs": [{"filePath": "/a", "fileSize": 1, "preSignedURL": "http://s/a", **changes}]}


def test_a_plan_tells_single_files_and_parts(mock: responses.RequestsMock, client: ApiClient) -> None:
    body = {**single(), **multi(), "kmsKeyName": ""}
    mock.add("POST", f"{URL}/api/v2/files/get_upload_urls", json=body)
    assert ask(client) == UploadPlan(
        (SinglePart("/a", "http://s/a"),), (MultiPart("/b", "u", 6, {1: "http://s/p", 2: "http://s/p"}),)
    )


def test_a_plan_does_not_show_its_urls_which_are_as_good_as_keys(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("POST", f"{URL}/api/v2/files/get_upload_urls", json={**single(), **multi()})
    shown = repr(ask(client))
    assert "/a" in shown
    assert "/b" in shown
    assert "http://s/" not in shown


def test_a_file_may_be_one_part_and_parts_of_one_byte(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    parts = [part(number) for number in range(1, 11)]
    for record in (multi(partSize=10, parts=[part(1)]), multi(partSize=1, parts=parts)):
        mock.add("POST", f"{URL}/api/v2/files/get_upload_urls", json=record)
        (found,) = ask(client).multi
        assert len(found.urls) * found.part_size == 10


def test_an_empty_file_may_be_one_part(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("POST", f"{URL}/api/v2/files/get_upload_urls", json=multi(parts=[part(1)]))
    sent = client.calls.files_get_upload_urls({"/b": ("m2", 0)}, None)
    assert plan_of(sent, {"/b": 0}).multi[0].urls == {1: "http://s/p"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"singlePartURLs": 5}, "must be a list of objects"),
        ({"multiPartURLs": {"a": {}}}, "must be a list of objects"),
        (single(filePath="/other"), "was not asked for"),
        (single(filePath=None), "was not asked for"),
        (single(filePath=["/a"]), "was not asked for"),
        (single(preSignedURL="/put/9f"), "not absolute"),
        (single(preSignedURL="ftp://s/a"), "not absolute"),
        (single(preSignedURL=None), "not absolute"),
        ({"singlePartURLs": {}, **multi(filePath="/a", partSize=1, parts=[part(1)]), **single()}, "twice"),
        (multi(uploadID=None), "uploadID"),
        (multi(uploadID=""), "uploadID"),
        (multi(uploadID=7), "uploadID"),
        (multi(parts=[part(1), part(2), part(2)]), "do not make its 10 bytes"),
        (multi(partSize=0), "partSize"),
        (multi(partSize="6"), "partSize"),
        (multi(partSize=4), "do not make its 10 bytes"),
        (multi(parts=[part(1)]), "do not make its 10 bytes"),
        (multi(parts=[part(1), part(1)]), "do not make its 10 bytes"),
        (multi(parts=[part(0), part(1)]), "do not make its 10 bytes"),
        (multi(parts=[part(1), part(2, "x")]), "not absolute"),
        (multi(parts="x"), "list of objects"),
        (multi(parts=[part(1), 2]), "list of objects"),
        (multi(partSize=True), "partSize"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_an_unexpected_answer(
    mock: responses.RequestsMock, client: ApiClient, body: dict[str, Any], reason: str
) -> None:
    mock.add("POST", f"{URL}/api/v2/files/get_upload_urls", json=body)
    with pytest.raises(UnexpectedAnswerError, match=reason):
        ask(client)


@pytest.mark.parametrize(
    ("url", "declares"),
    [
        ("http://store/bucket/a", True),
        ("https://storage.googleapis.com/a", True),
        ("https://b.s3.amazonaws.com/a", False),
        ("http://127.0.0.1:5000/coreweave/a", False),
    ],
)
def test_the_text_of_a_signed_url_chooses_the_style_of_the_upload(url: str, declares: bool) -> None:
    assert SinglePart("/a", url).checked is declares


@pytest.mark.parametrize("md5", ["m==", None])
def test_a_file_goes_up_with_its_length_and_with_its_md5_where_that_is_checked(
    mock: responses.RequestsMock, client: ApiClient, md5: str | None
) -> None:
    mock.add("PUT", f"{URL}/put")
    client.calls.objects_put(f"{URL}/put", nothing, size=0, md5=md5, about="/a")
    headers = mock.calls[0].request.headers
    assert headers.get("Content-MD5") == md5
    assert headers["Content-Length"] == "0"
    assert "Transfer-Encoding" not in headers


@pytest.mark.parametrize("etag", [None, "", '""'])
def test_a_part_without_an_etag_is_an_unexpected_answer(
    mock: responses.RequestsMock, client: ApiClient, etag: str | None
) -> None:
    invoke = arrange(mock, "objects.put_part", 200, "", headers={"ETag": etag} if etag is not None else {})
    with pytest.raises(UnexpectedAnswerError, match="no ETag for part 2 of /proj/a"):
        invoke(client)


def test_completing_lists_the_parts_in_order_with_a_null_project(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("POST", f"{URL}/api/v2/files/multipart/complete")
    complete(client)
    assert json.loads(mock.calls[0].request.body or "") == {
        "uploadID": "up",
        "hash": "md5==",
        "completedParts": [{"partNumber": 1, "etag": "a"}, {"partNumber": 2, "etag": "b"}],
        "project": None,
    }


@pytest.mark.parametrize("status", [200, 202, 303, 500, 501, 502, 503, 504, 505, 507])
def test_an_answer_that_leaves_open_whether_there_is_a_job_says_what_to_look_for(
    mock: responses.RequestsMock, client: ApiClient, status: int
) -> None:
    invoke = arrange(mock, "jobs.create", status, '{"message": "hm"}')
    with pytest.raises(OutcomeUnknownError, match="look for a job titled 'T'") as caught:
        invoke(client)
    assert [call.request.method for call in mock.calls].count("POST") == 1
    assert (caught.value.status, caught.value.acted) == (status, Acted.UNKNOWN)
    assert f"{status}" in str(caught.value)
    assert "hm" in str(caught.value)


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{"])
def test_a_created_job_whose_answer_cannot_be_read_was_acted_on(
    mock: responses.RequestsMock, client: ApiClient, body: str
) -> None:
    invoke = arrange(mock, "jobs.create", 201, body)
    with pytest.raises(OutcomeUnknownError, match="it was acted on; look for a job titled 'T'") as caught:
        invoke(client)
    assert (caught.value.status, caught.value.acted) == (201, Acted.YES)


def test_a_204_for_a_job_has_no_body(mock: responses.RequestsMock, client: ApiClient) -> None:
    assert arrange(mock, "jobs.create", 204, "")(client) == ({}, 204)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_of_a_job_is_not_followed(
    mock: responses.RequestsMock, client: ApiClient, status: int
) -> None:
    invoke = arrange(mock, "jobs.create", status, "", headers={"Location": f"{URL}/jobs"})
    with pytest.raises(UnexpectedAnswerError, match="not followed") as caught:
        invoke(client)
    posts = [call for call in mock.calls if call.request.method == "POST"]
    assert (len(posts), caught.value.acted) == (1, Acted.NO)


@pytest.mark.parametrize(
    ("status", "headers"), [(429, {}), (429, {"Retry-After": "3"}), (503, {"Retry-After": "3"})]
)
def test_a_job_is_sent_again_where_the_service_says_that_it_did_nothing(
    mock: responses.RequestsMock, client: ApiClient, status: int, headers: dict[str, str]
) -> None:
    arrange(mock, "jobs.create", status, "", headers=headers)
    invoke = arrange(mock, "jobs.create", 201, '{"jobid": "00001"}')
    assert invoke(client) == ({"jobid": "00001"}, 201)


def test_a_service_that_stays_busy_made_no_job(mock: responses.RequestsMock, client: ApiClient) -> None:
    invoke = arrange(mock, "jobs.create", 503, "", headers={"Retry-After": "1"})
    with pytest.raises(BusyError) as caught:
        invoke(client)
    assert (caught.value.attempts, caught.value.acted) == (5, Acted.NO)


def test_a_request_that_the_service_gave_up_reading_made_no_job(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    invoke = arrange(mock, "jobs.create", 408, "")
    with pytest.raises(BusyError) as caught:
        invoke(client)
    assert (caught.value.attempts, caught.value.acted) == (1, Acted.NO)


RECORDS = [{"name": "a", "status": "active"}]


@pytest.mark.parametrize(
    ("function", "path", "answer"),
    [
        (api_client.request_software_packages, "/api/v1/ee/packages", RECORDS),
        (api_client.request_projects, "/api/v1/projects/", ["a"]),  # names, as the vendor's function returns
        (api_client.request_instance_types, "/api/v1/instance-types", RECORDS),
        (api_client.request_jobs, "/api/v1/jobs", RECORDS),
    ],
)
def test_the_documented_functions_take_everything_from_the_environment(
    mock: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[[], Any],
    path: str,
    answer: list[Any],
) -> None:
    monkeypatch.setenv("CONDUCTOR_URL", URL)
    monkeypatch.setenv("CONDUCTOR_API_KEY", json.dumps(KEY))
    mock.add("GET", f"{URL}/api/oauth_jwt", json={"access_token": jwt(), "expires_in": 3600})
    mock.add("GET", URL + path, json={"data": RECORDS})
    assert function() == answer
    assert function() == answer
    assert len(mock.calls) == 3


def test_without_a_key_nothing_is_sent_but_the_advice() -> None:
    with pytest.raises(ConductorError, match="no API key is configured"):
        api_client.request_projects()
