"""Whatever is sent, the answer is a refusal in the one shape: never a defect, never a half-kept request."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.contract import Contract, load_control
from conductor_contracts.contract import load as load_contract
from conductor_contracts.json_text import MAX_DEPTH
from conductor_contracts.operation import Operation
from conductor_mock.farm.fold import replay
from conductor_mock.farm.ids import account_id
from support.examples import examples
from support.payloads import job_payloads, json_values
from support.server import ApiCaller, Fake, candidate, job_payload, md5_of, running
from support.states import image

JSON_ROUTES = ["/jobs/", "/api/v2/files/get_upload_urls", "/_mock/clock"]
JSON_OPERATIONS = [one for one in load_contract().operations.values() if one.request_schema]
CONTROL_WRITES = [one for one in load_control().operations.values() if one.request_schema]
VALID = {
    "/jobs/": job_payload(),
    "/api/v2/files/get_upload_urls": {"upload_files": [candidate("/a", b"x")], "project": "default"},
    "/_mock/clock": {"advance": 1, "speed": 0},
}
DEEP = 10_000


def send(caller: ApiCaller, path: str, data: bytes, **options: Any) -> Any:
    query = {"account": caller.client_id} if path.startswith("/_mock/") else None
    return caller.post(path, data=data, query=query, **options)


def nest(opening: bytes, closing: bytes, depth: int = DEEP) -> bytes:
    return opening * depth + b"1" + closing * depth


BODIES = {
    "empty": b"",
    "white space": b" \n\t ",
    "not UTF-8": b'{"job_title": "\xff\xfe"}',
    "UTF-16": json.dumps(job_payload()).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "compressed": bytes.fromhex("1f8b08000000000000ffabae050043bfa6a302000000"),
    "cut short": b'{"job_title": "A te',
    "two values": b"{} {}",
    "a comment": b"{} // done",
    "single quotes": b"{'a': 1}",
    "a trailing comma": b'{"a": 1,}',
    "NaN": b'{"priority": NaN}',
    "Infinity": b'{"priority": -Infinity}',
    "too large a float": b'{"priority": 1e999}',
    "too large a float in a free field": b'{"metadata": {"a": [-1e999]}}',
    "a number of 5,000 digits": b'{"priority": ' + b"9" * 5000 + b"}",
    "a number of 5,000 digits in a free field": b'{"metadata": {"a": ' + b"9" * 5000 + b"}}",
    "deep lists": nest(b"[", b"]"),
    "deep objects": nest(b'{"a":', b"}"),
    "deep lists in an unknown field": b'{"unknown": ' + nest(b"[", b"]") + b"}",
    "deep objects in a free field": b'{"metadata": ' + nest(b'{"a":', b"}") + b"}",
    "deep and never closed": b"[" * 100_000,
    "half a surrogate pair": b'{"job_title": "\\ud800"}',
    "half a surrogate pair as a name": b'{"\\uDC00": 1}',
    "half a surrogate pair in a free field": b'{"metadata": {"a": ["\\uD83D x"]}}',
    "a bare control character": b'{"job_title": "a\x01b"}',
    "null": b"null",
    "a list": b"[]",
    "a text": b'"job"',
    "a number": b"7",
    "an empty object": b"{}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("path", JSON_ROUTES)
def test_a_body_that_is_no_request_is_refused(shared_fake: Fake, path: str, body: bytes) -> None:
    caller = shared_fake.newcomer()

    assert send(caller, path, body).status == 400
    assert caller.jobs() == []


def test_a_refusal_says_which_step_failed(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    said = {name: send(caller, "/jobs/", BODIES[name]).message for name in BODIES}

    assert said["empty"] == said["white space"] == "the body is empty, JSON was expected"
    assert said["not UTF-8"] == "the body is not UTF-8: byte 15 is 0xff"
    assert said["cut short"].startswith("the body is not JSON: Unterminated string")
    assert said["NaN"] == "the body is not JSON: NaN is not a JSON number"
    assert said["too large a float"] == "the body is not JSON: the number 1e999 is too large"
    assert said["deep lists"] == said["deep objects"] == f"the body is nested deeper than {MAX_DEPTH} levels"
    assert "half of a surrogate pair" in said["half a surrogate pair"]


@pytest.mark.parametrize(("depth", "status"), [(MAX_DEPTH - 1, 201), (MAX_DEPTH, 400)])
def test_nesting_is_taken_to_a_depth_that_no_client_needs(shared_fake: Fake, depth: int, status: int) -> None:
    body = json.dumps(job_payload(unknown="HERE")).encode().replace(b'"HERE"', nest(b"[", b"]", depth))

    assert send(shared_fake.newcomer(), "/jobs/", body).status == status


@pytest.mark.parametrize("field", ["metadata", "unknown"])
@pytest.mark.parametrize("containers", [("[]",), ("{}",), ("[]", "{}")], ids=str)
def test_what_was_taken_at_the_greatest_depth_is_shown_again_and_bundled(
    shared_fake: Fake, field: str, containers: tuple[str, ...]
) -> None:
    value: Any = 1
    for level in range(MAX_DEPTH - 2):  # two more are around it
        value = [value] if containers[level % len(containers)] == "[]" else {"a": value}
    caller = shared_fake.newcomer()
    jid = caller.submit(**{field: {"a": value}}).json()["jobid"]

    own = {"account": caller.client_id}
    assert len(caller.jobs()) == 1
    assert caller.get(f"/_mock/jobs/{jid}", query=own).json()["payload"][field] == {"a": value}
    bundle = caller.get("/_mock/bundle", query=own).content
    assert caller.post("/_mock/reset", query=own).status == 204
    zipped = {"Content-Type": "application/zip"}
    assert caller.request("POST", "/_mock/bundle", data=bundle, query=own, headers=zipped).status == 201
    assert len(caller.jobs()) == 1


def test_brackets_in_texts_are_no_nesting(shared_fake: Fake) -> None:
    assert shared_fake.newcomer().submit(job_title="[" * 1000 + "{" * 1000).status == 201


@given(st.binary(max_size=64))
@pytest.mark.parametrize("path", JSON_ROUTES)
def test_any_bytes_are_answered(shared_fake: Fake, path: str, body: bytes) -> None:
    assert send(shared_fake.newcomer(), path, body).status < 500


@given(json_values)
@pytest.mark.parametrize("path", JSON_ROUTES)
def test_any_json_is_answered(shared_fake: Fake, path: str, body: Any) -> None:
    assert send(shared_fake.newcomer(), path, json.dumps(body).encode()).status < 500


odd_values = st.one_of(
    json_values,
    st.sampled_from(
        [
            10**400,
            -(2**63) - 1,
            2**63,
            2**64,
            1e308,
            -0.0,
            0.1,
            True,
            "",
            "\0",
            " ",
            "5",
            "\ufeff5",
            "9" * 4000,
        ]
    ),
    st.lists(st.none(), max_size=30),
)


@st.composite
def mutated(draw: st.DrawFn, base: st.SearchStrategy[Any]) -> Any:
    """A valid body in which a few places hold something else."""
    body = json.loads(json.dumps(draw(base)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(body))
        holder, key = draw(st.sampled_from(places))
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "replace":
            holder[key] = draw(odd_values)
        elif action == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))] = draw(odd_values)
        else:
            holder.append(draw(odd_values))
        if not any(_places(body)):
            break
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as a container and a key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield value, key
        yield from _places(below)


@given(mutated(job_payloads()))
def test_a_payload_with_a_few_odd_values_is_taken_or_refused_and_hurts_nobody(
    shared_fake: Fake, body: Any
) -> None:
    """What is taken must be readable again: by the list, by the control API, and by a replay."""
    caller = shared_fake.newcomer()
    answer = caller.post("/jobs/", body if body is not None else {})
    assert answer.status in (201, 400)

    jobs = caller.jobs()
    assert len(jobs) == (answer.status == 201)
    assert caller.get("/_mock/jobs", query={"account": caller.client_id}).status == 200
    with shared_fake.service.accounts.open(account_id(caller.client_id)) as account:
        again = replay(account.records())
        assert again is not None
        assert image(again) == image(account.state)


def examples_of(operation: Operation, contract: Contract) -> list[Any]:
    """The request bodies that a contract gives as examples."""
    document = contract.document["paths"][operation.path][operation.method.lower()]
    content = document["requestBody"]["content"]["application/json"]
    named = [one["value"] for one in content.get("examples", {}).values()]
    return named or [content["example"]]


@examples(15, full=50)
@given(st.data())
@pytest.mark.parametrize("operation", JSON_OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_answers_odd_bodies_as_its_contract_says(
    shared_fake: Fake, operation: Operation, data: st.DataObject
) -> None:
    """The caller holds each answer to the documented statuses and shapes."""
    caller = shared_fake.newcomer()
    caller.submit()
    path = re.sub(r"{\w+}", "00001", operation.path)
    body = data.draw(json_values | mutated(st.sampled_from(examples_of(operation, load_contract()))))

    answer = caller.request(operation.method, path, data=json.dumps(body).encode())

    assert answer.status < 500
    assert caller.get("/_mock/jobs", query={"account": caller.client_id}).status == 200


@examples(15, full=50)
@given(st.data())
@pytest.mark.parametrize("operation", CONTROL_WRITES, ids=lambda operation: operation.id)
def test_every_control_call_answers_odd_bodies(
    shared_fake: Fake, operation: Operation, data: st.DataObject
) -> None:
    caller = shared_fake.newcomer()
    caller.submit()
    query = {"account": caller.client_id}
    path = operation.path.format(jid="00001", tid="000")
    examples = [one for one in examples_of(operation, load_control()) if one is not None]
    body = data.draw(json_values | mutated(st.sampled_from(examples)))

    assert caller.request(operation.method, path, data=json.dumps(body).encode(), query=query).status < 500
    caller.delete("/_mock/faults", query=query)
    assert caller.post("/_mock/clock", {"advance": 1000}, query=query).status == 200
    assert caller.get("/_mock/jobs", query=query).status == 200


@given(mutated(st.just(VALID["/api/v2/files/get_upload_urls"])))
def test_a_batch_with_a_few_odd_values_is_taken_or_refused(shared_fake: Fake, body: Any) -> None:
    caller = shared_fake.newcomer()
    answer = caller.post("/api/v2/files/get_upload_urls", body)

    assert answer.status in (200, 400)
    if answer.status == 200:
        for wanted in answer.json()["singlePartURLs"]:
            put = caller.put(wanted["preSignedURL"], b"x", environ={"CONTENT_LENGTH": "1"})
            assert put.status in (200, 400)


@given(mutated(st.just(VALID["/_mock/clock"])))
def test_a_clock_call_with_a_few_odd_values_is_taken_or_refused(shared_fake: Fake, body: Any) -> None:
    caller = shared_fake.newcomer()
    query = {"account": caller.client_id}

    assert caller.post("/_mock/clock", body, query=query).status in (200, 400)
    assert caller.get("/_mock/clock", query=query).status == 200


@pytest.mark.parametrize("path", ["/jobs/", "/api/v2/files/get_upload_urls"])
def test_a_body_over_the_limit_is_413(path: str) -> None:
    with running(max_json_bytes=2000) as fake:
        caller = fake.caller()
        data = json.dumps({"metadata": "x" * 2000}).encode()
        for chunked in (False, True):
            environ = {"wsgi.input": io.BytesIO(data), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
            answer = caller.post(
                path,
                data=None if chunked else data,
                headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
                if chunked
                else {},
                environ=environ if chunked else {},
            )
            assert answer.status == 413
            assert answer.headers["Connection"] == "close"
            assert "2000 bytes" in answer.message


def test_a_body_of_exactly_the_limit_is_read() -> None:
    data = json.dumps(job_payload()).encode()
    with running(max_json_bytes=len(data)) as fake:
        assert fake.caller().post("/jobs/", data=data).status == 201


def test_a_chunked_json_body_is_read(fake: Fake) -> None:
    caller = fake.caller()
    data = io.BytesIO(json.dumps(job_payload()).encode())
    answer = caller.post(
        "/jobs/",
        headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        environ={"wsgi.input": data, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert answer.status == 201


HOSTS = [
    "",
    "[",
    "[::1",
    "[foo]",
    "]",
    "a b",
    "a/b",
    "@",
    "user@host",
    "host:",
    "host:99999999",
    "host:x",
    "\u00ff",
    "a,b",
    "%00",
]


@pytest.mark.parametrize("host", HOSTS, ids=ascii)
def test_a_host_header_that_is_no_name_is_refused_where_it_matters(shared_fake: Fake, host: str) -> None:
    caller = shared_fake.newcomer()
    environ = {"HTTP_HOST": host}

    assert caller.get("/api/oauth_jwt", query=caller.key_query(), environ=environ).status == 400
    assert caller.get("/_mock/health", environ=environ).status == 403
    body = {"upload_files": [candidate("/a", b"x")]}
    assert caller.post("/api/v2/files/get_upload_urls", body, environ=environ).status == 400
    assert caller.get("/api/v1/jobs", environ=environ).status == 200
    assert caller.get("/nowhere", environ=environ).status == 404


QUERIES = [
    "filter=%",
    "filter=%zz",
    "filter=%ff%fe",
    "filter=%00",
    "filter=%ED%A0%80",
    "filter=%F4%90%80%80",
    "filter=\u00ff\u00fe",
    "\u00ff=1",
    "%00=%00",
    "&&&===",
    "filter",
    "filter=" + "x" * 100_000,
    "&".join(f"a{number}=1" for number in range(5000)),
    "limit=" + "9" * 5000,
    "limit=%D9%A1",
    "limit=-1",
    "at=0001-01-01T00:00:00%2B23:59",
    "at=9999-12-31T23:59:59-23:59",
    "at=2026-01-01",
    "at=tomorrow",
    "at=",
    "limit=0",
    "account=%00",
    "account=" + "x" * 10_000,
    "account=%ED%A0%80",
]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs",
        "/api/v1/instance-types",
        "/api/v1/ee/packages",
        "/api/oauth_jwt",
        "/_mock/requests",
        "/_mock/jobs",
        "/nowhere",
    ],
)
def test_an_odd_query_is_answered(shared_fake: Fake, path: str) -> None:
    caller = shared_fake.caller()
    answered = {query: caller.get(path, environ={"QUERY_STRING": query}).status for query in QUERIES}

    assert set(answered.values()) <= {200, 400, 404}, answered


@given(st.text(st.characters(max_codepoint=255), max_size=40))
@pytest.mark.parametrize(
    "path", ["/api/v1/jobs", "/api/v1/instance-types", "/_mock/requests", "/api/oauth_jwt"]
)
def test_any_bytes_in_a_query_are_answered(shared_fake: Fake, path: str, text: str) -> None:
    environ = {"QUERY_STRING": f"filter={text}&limit={text}&account={text}&client_id={text}"}

    assert shared_fake.caller().get(path, environ=environ).status in (200, 400, 404)


@given(st.text(st.characters(max_codepoint=255), max_size=40))
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_any_bytes_in_a_path_are_answered(shared_fake: Fake, method: str, text: str) -> None:
    caller = shared_fake.caller()
    for prefix in ("/", "/objects/", "/api/v1/accounts/", "/_mock/jobs/"):
        answer = caller.request(method, "/", environ={"PATH_INFO": prefix + text})
        assert answer.status < 500 or answer.status == 501


@pytest.mark.parametrize(
    "path", ["/" + "a" * 50_000, "/api/v1/accounts/" + "5" * 50_000, "/_mock/jobs/" + "5" * 50_000]
)
def test_an_overlong_path_is_answered_shortly(shared_fake: Fake, path: str) -> None:
    answer = shared_fake.newcomer().get(path)

    assert answer.status in (403, 404)
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "-1"},
        {"Content-Length": "many"},
        {"Content-Length": "9" * 5000},
        {"Content-Encoding": "gzip"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "\u00ff/\u00ff"},
        {"Content-Type": ";;;"},
        {"Expect": "100-continue"},
        {"Range": "bytes=0-"},
        {"Cookie": "\u00ff=\u00ff; ===; a"},
        {"If-None-Match": '"'},
        {"Accept": "\u00ff"},
        {"Accept-Encoding": "br;q=x"},
        {"X-Forwarded-Host": "\u00ff"},
    ],
    ids=lambda headers: ascii(next(iter(headers.items()))[0:2])[:40],
)
def test_odd_headers_are_answered(shared_fake: Fake, headers: dict[str, str]) -> None:
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    environ |= {"CONTENT_LENGTH": headers["Content-Length"]} if "Content-Length" in headers else {}
    environ |= {"CONTENT_TYPE": headers["Content-Type"]} if "Content-Type" in headers else {}
    caller = shared_fake.newcomer()

    assert caller.post("/jobs/", job_payload(), environ=environ).status in (201, 400, 413, 415)
    assert caller.get("/api/v1/jobs", environ=environ).status in (200, 400)


@pytest.mark.parametrize("path", JSON_ROUTES)
@pytest.mark.parametrize(
    "coding", ["gzip", "GZIP", "x-gzip", "deflate", "br", "identity, gzip", "gzip, identity"]
)
def test_a_compressed_body_is_415_and_the_answer_says_what_is_taken(
    shared_fake: Fake, path: str, coding: str
) -> None:
    caller = shared_fake.newcomer()

    for data in (gzip.compress(json.dumps(VALID[path]).encode()), json.dumps(VALID[path]).encode()):
        answer = send(caller, path, data, headers={"Content-Encoding": coding})
        assert answer.status == 415
        assert answer.headers["Accept-Encoding"] == "identity"
        assert answer.faults.keys() == {"Content-Encoding"}
    assert caller.jobs() == []


@pytest.mark.parametrize("coding", ["identity", "Identity", "", " , identity"])
def test_no_coding_is_no_reason_to_refuse(shared_fake: Fake, coding: str) -> None:
    caller = shared_fake.newcomer()

    assert (
        send(
            caller, "/jobs/", json.dumps(job_payload()).encode(), headers={"Content-Encoding": coding}
        ).status
        == 201
    )
    assert caller.get("/api/v1/jobs", headers={"Content-Encoding": "gzip"}).status == 200


def test_a_file_may_be_of_any_coding_and_is_stored_as_it_comes(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    content = gzip.compress(b"a scene")
    url = caller.upload_url("/proj/scene.ma.gz", content)

    assert caller.put(url, content, headers={"Content-Encoding": "gzip"}).status == 200
    assert caller.files() == {"/proj/scene.ma.gz": md5_of(content)}
