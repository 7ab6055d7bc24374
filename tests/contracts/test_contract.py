"""What the contract says of requests and answers, and how it says it."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_contracts.contract import Contract, load, load_control, parse
from conductor_contracts.near_miss import near_miss
from conductor_contracts.operation import Operation
from conductor_contracts.problems import MAX_PROBLEMS, MAX_SHOWN, Problem
from conductor_contracts.schemas import SchemaSet

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                ["tasks_data", "command", "upload_files", "md5", "cores", "notify", "emails", "x"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load()


@pytest.fixture(scope="module")
def create(contract: Contract) -> Operation:
    return contract.operations["jobs.create"]


def job(**fields: Any) -> dict[str, Any]:
    return {"instance_type": "n1-standard-2", "tasks_data": [{"command": "echo", "frames": "1"}], **fields}


def file(**fields: Any) -> dict[str, Any]:
    return {"destination": "/proj/a", "md5": "kAFQmDzST7DWlj99KOF/cg==", "st_size": 3, **fields}


def said(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


# What real clients send (wire reference 3)


@pytest.mark.parametrize(
    "body",
    [
        job(),
        job(instance_type=None, cores=2, machine_flavor="standard"),
        job(instance_type=None, cores=8),
        job(priority="800", chunk_size="5", max_instances="0"),
        job(priority=-1),
        job(notify={"emails": None}),
        job(notify=None, environment=None, metadata=None, autoretry_policy=None, upload_files=None),
        job(metadata={"shot": 7, "deep": {"er": [1]}}),
        job(autoretry_policy={}),
        job(autoretry_policy={"preempted": {"max_retries": 5}, "failed": {"max_retries": 0}}),
        job(command="", frame_range="", docker_image="", location="", job_title="", project=""),
        job(
            tasks_data=[
                {"command": "echo", "frames": None},
                {"command": "echo", "frames": ""},
                {"command": "a"},
            ]
        ),
        job(gpu_config={"type": "nvidia-tesla-p100", "count": 1}),
        job(local_upload=True, upload_files=[file()]),
        job(local_upload=False, upload_files=[file(md5=None)]),
        job(local_upload=None, upload_files=[file(md5=None)]),
        job(upload_files=[{"destination": "x:/proj/a", "md5": None}]),
        job(upload_files=[file(destination="C:\\proj\\a")], local_upload=False),
        job(upload_files=[file(destination="//server/share/../é b#%?.ma")]),
        job(upload_files=[file(st_ino=2**100, st_dev=-1, st_mtime=-1.5, st_size=2**40)]),
        job(upload_size=2**50),
        job(cores=4.0, instance_type=None),
        {"command": "r", "frame_range": "1, 10-20, 100-200x2", "cores": 4, "tasks_data": []},
        {"command": "r", "frame_range": "-5--1 , 7", "cores": 4, "tasks_data": None},
        {"command": "r", "frame_range": "10-1,", "instance_type": "a"},
        {
            "command": "upload only",
            "frame_range": "x",
            "instance_type": "n1-standard-1",
            "upload_files": [file()],
        },
        {"command": "upload only", "frame_range": "x", "instance_type": "n1-standard-1"},
        job(something_new={"deep": [1, {"er": None}]}, upload_only=False, force=True),
    ],
)
def test_what_clients_send_is_accepted(create: Operation, body: Any) -> None:
    assert create.check_request(body) == []


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (None, "", "must be an object, got null"),
        ([], "", "must be an object, got a list of 0 items"),
        (job(job_title=7), "/job_title", "must be a string or null, got 7"),
        (job(local_upload="yes"), "/local_upload", 'must be true or false or null, got "yes"'),
        (job(cores="4"), "/cores", 'must be a whole number or null, got "4"'),
        (job(cores=0), "/cores", "must be 1 or more, got 0"),
        (job(priority=1.5), "/priority", "must be a whole number of 64 bits, or its text, got 1.5"),
        (job(priority=2**64), "/priority", f"must be a whole number of 64 bits, or its text, got {2**64}"),
        (job(chunk_size="0"), "/chunk_size", 'must be a whole number, 1 or more, or its text, got "0"'),
        (
            job(environment={"A/B": ["1"]}),
            "/environment/A~1B",
            "must be a string, a number, true or false or null, got a list of 1 item",
        ),
        (job(tasks_data=[{"command": "a"}, 7]), "/tasks_data/1", "must be an object, got 7"),
        (job(tasks_data=[{}]), "/tasks_data/0/command", "is required"),
        (
            job(tasks_data=[{"command": " "}]),
            "/tasks_data/0/command",
            'must be a string that is not blank, got " "',
        ),
        (job(upload_files=[{}]), "/upload_files/0/destination", "is required"),
        (
            job(upload_files=[file(destination="a\0b")]),
            "/upload_files/0/destination",
            'must be an absolute path that begins with / or a drive letter, got "a\\u0000b"',
        ),
        (
            job(machine_flavor="big"),
            "/machine_flavor",
            'must be "standard", "highmem", "highcpu", "ultramem" or null, got "big"',
        ),
        (job(autoretry_policy={"failed": {}}), "/autoretry_policy/failed/max_retries", "is required"),
        (
            job(autoretry_policy={"failed": {"max_retries": 6}}),
            "/autoretry_policy/failed/max_retries",
            "must be a whole number from 0 to 5, got 6",
        ),
        (
            job(instance_type=None, machine_flavor="ultramem", cores=39),
            "/cores",
            "must be 40 or more for machine_flavor ultramem",
        ),
        (job(local_upload=True, upload_files=[{"destination": "/a"}]), "/upload_files/0/md5", None),
        ({"instance_type": "a", "tasks_data": None}, "/tasks_data", None),
        ({"instance_type": "a", "command": "  "}, "/tasks_data", None),
        ({"instance_type": "a", "command": "r", "frame_range": ""}, "/frame_range", None),
        ({"tasks_data": [{"command": "a"}], "instance_type": ""}, "/instance_type", None),
        ({"tasks_data": [{"command": "a"}], "machine_flavor": "standard"}, "/instance_type", None),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place_in_plain_words(
    create: Operation, body: Any, path: str, message: str | None
) -> None:
    problems = create.check_request(body)
    assert [problem.path for problem in problems] == [path]
    assert message in (None, problems[0].message)


def test_all_faults_are_told_at_once(create: Operation) -> None:
    body = {"tasks_data": [{"command": ""}], "priority": "high", "upload_files": [{"destination": "a"}]}
    assert {problem.path for problem in create.check_request(body)} == {
        "/instance_type",
        "/tasks_data/0/command",
        "/priority",
        "/upload_files/0/destination",
    }


def test_messages_hold_no_schema_jargon(create: Operation) -> None:
    bodies = [
        {},
        job(tasks_data="a"),
        job(notify=7),
        job(upload_files=[file(md5="a", st_size=-1)]),
        job(cores=1.5),
    ]
    for text in (text for body in bodies for text in said(create.check_request(body))):
        assert not any(
            word in text for word in ("anyOf", "schema", "pattern", "$ref", "$defs", "instance of")
        )


# Upload negotiation (wire reference 2.5)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/upload_files"),
        ({"upload_files": {}}, "/upload_files"),
        ({"upload_files": []}, "/upload_files"),
        (
            {"upload_files": [{"path": "/a", "hash": "kAFQmDzST7DWlj99KOF/cg==", "size": 3}] * 21},
            "/upload_files",
        ),
        (
            {"upload_files": [{"path": "a", "hash": "kAFQmDzST7DWlj99KOF/cg==", "size": 3}]},
            "/upload_files/0/path",
        ),
        ({"upload_files": [{"path": "/a", "hash": "abc", "size": 3}]}, "/upload_files/0/hash"),
        (
            {"upload_files": [{"path": "/a", "hash": "kAFQmDzST7DWlj99KOF/cg==", "size": -3}]},
            "/upload_files/0/size",
        ),
        ({"upload_files": [{"path": "/a", "hash": "kAFQmDzST7DWlj99KOF/cg=="}]}, "/upload_files/0/size"),
        ({"upload_files": [{"path": "/a", "hash": None, "size": 3}]}, "/upload_files/0/hash"),
    ],
)
def test_a_batch_that_cannot_be_meant_is_refused(contract: Contract, body: Any, path: str) -> None:
    assert [problem.path for problem in contract.operations["files.get_upload_urls"].check_request(body)] == [
        path
    ]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"singlePartURLs": []},
        {"singlePartURLs": [], "multiPartURLs": [], "kmsKeyName": "", "more": []},
    ],
)
def test_nothing_to_upload_has_many_forms(contract: Contract, answer: Any) -> None:
    assert contract.operations["files.get_upload_urls"].check_response(200, answer) == []


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"kmsKeyName": "projects/x"}, "/kmsKeyName"),
        ({"kmsKeyName": None}, "/kmsKeyName"),
        ({"singlePartURLs": None}, "/singlePartURLs"),
        ({"count": 1}, "/count"),
        ({"more": "text"}, "/more"),
        (
            {"singlePartURLs": [{"filePath": "/a", "fileSize": 3, "preSignedURL": "/put/1"}]},
            "/singlePartURLs/0/preSignedURL",
        ),
        (
            {"multiPartURLs": [{"uploadID": "1", "filePath": "/a", "partSize": 1, "parts": []}]},
            "/multiPartURLs/0/fileSize",
        ),
    ],
)
def test_answers_that_crash_the_vendors_uploader_break_the_contract(
    contract: Contract, answer: Any, path: str
) -> None:
    problems = contract.operations["files.get_upload_urls"].check_response(200, answer)
    assert path in [problem.path for problem in problems]


# Answers


def test_an_undocumented_status_breaks_the_contract(create: Operation) -> None:
    (problem,) = create.check_response(200, {"status": "success"})
    assert problem.message.startswith("has status 200, which jobs.create does not document (201, 400,")


def test_a_status_without_content_takes_no_body(contract: Contract) -> None:
    operation = contract.operations["files.get_upload_urls"]
    assert operation.check_response(204, None) == []
    assert operation.check_response(204, b"") == []
    assert said(operation.check_response(204, {})) == [
        "the body must be empty with status 204, got an object of 0 fields"
    ]


def test_the_body_after_an_upload_does_not_matter(contract: Contract) -> None:
    assert contract.operations["objects.put"].check_response(200, "anything") == []


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "eyJh.eyJh", "eyJ" + "a" * 2000 + ".a.b"])
def test_a_token_that_clients_cannot_read_breaks_the_contract(contract: Contract, token: str) -> None:
    answer = {"access_token": token, "expires_in": 3600}
    assert [one.path for one in contract.operations["auth.token"].check_response(200, answer)] == [
        "/access_token"
    ]


def test_a_gpu_with_a_count_needs_model_and_memory(contract: Contract) -> None:
    machine = {"name": "a-1", "description": "", "cores": 1, "memory": "1", "operating_system": "linux"}
    operation = contract.operations["instance_types.list"]
    assert operation.check_response(200, {"data": [{**machine, "gpu": None}, machine]}) == []
    problems = operation.check_response(
        200, {"data": [{**machine, "gpu": {"gpu_count": 1, "gpu_model": "T4"}}]}
    )
    assert said(problems) == ["/data/0/gpu/gpu_memory is required with gpu_count"]


def test_queries_are_checked_too(contract: Contract) -> None:
    operation = contract.operations["auth.token"]
    good = {
        "grant_type": "client_credentials",
        "client_id": "a",
        "client_secret": "b",
        "scope": "owner admin user",
    }
    assert operation.check_query({**good, "more": "x"}) == []
    assert said(operation.check_query({**good, "grant_type": "password"})) == [
        '/grant_type must be "client_credentials", got "password"'
    ]
    assert said(operation.check_query({})) == [
        "/grant_type is required",
        "/client_id is required",
        "/client_secret is required",
    ]


def test_the_shape_of_a_refusal_is_checked_without_an_operation(contract: Contract) -> None:
    assert contract.check_error({"status": "error", "message": "no", "errors": []}) == []
    assert [one.path for one in contract.check_error({"status": "error", "errors": [{"path": "/a"}]})] == [
        "/message",
        "/errors/0/message",
    ]


# Hostile bodies


def test_no_more_problems_are_told_than_fit(create: Operation) -> None:
    problems = create.check_request(job(tasks_data=[{"command": 7}] * 5000))
    assert len(problems) == MAX_PROBLEMS
    assert problems[0].path == "/tasks_data/0/command"


def test_values_and_names_are_shortened(create: Operation) -> None:
    huge = "x" * 10_000_000
    for body in (job(cores=huge), job(environment={huge: [7]}), job(upload_files=[file(md5=huge)])):
        (problem,) = create.check_request(body)
        assert len(problem.path) < 2 * MAX_SHOWN
        assert len(problem.message) < 3 * MAX_SHOWN


def _nested(depth: int, make: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    return value


@pytest.mark.parametrize("depth", [101, 1000, 100_000])
@pytest.mark.parametrize("make", [lambda value: [value], lambda value: {"a": value}])
def test_deep_nesting_is_a_problem_and_no_crash(
    create: Operation, depth: int, make: Callable[[Any], Any]
) -> None:
    for body in (_nested(depth, make), job(metadata={"a": _nested(depth, make)})):
        (problem,) = create.check_request(body)
        assert "nested more than 100 levels deep" in problem.message


def test_moderate_nesting_is_none_of_the_contracts_business(create: Operation) -> None:
    assert create.check_request(job(extra=_nested(90, lambda value: [value]))) == []


def test_a_list_that_holds_itself_is_a_problem_and_no_crash(create: Operation) -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "nested" in create.check_request(job(metadata={"loop": loop}))[0].message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "must be a number that JSON knows, got nan"),
        (float("-inf"), "must be a number that JSON knows, got -inf"),
        ("a\ud800b", "must be Unicode text, but half a surrogate pair is in it"),
        (b"bytes", "must be a JSON value, got a Python bytes"),
    ],
)
def test_what_json_cannot_hold_is_refused_wherever_it_is(create: Operation, value: Any, message: str) -> None:
    for body, path in (
        (job(job_title=value), "/job_title"),
        (job(unknown=[1, {"a": value}]), "/unknown/1/a"),
        (job(upload_files=[file(st_mtime=value)]), "/upload_files/0/st_mtime"),
    ):
        assert create.check_request(body) == [Problem(path, message)]


def test_names_that_json_cannot_hold_are_refused(create: Operation) -> None:
    (problem,) = create.check_request(job(environment={"\ud800": "a"}))
    assert problem.message == "has a name with half a surrogate pair in it"
    problem.path.encode()
    (problem,) = create.check_request(job(environment={7: "a"}))
    assert problem.message == "has a field name that is not text but a int"


def test_numbers_of_any_size_are_told_shortly(create: Operation) -> None:
    (problem,) = create.check_request(job(cores=10**5000))
    assert problem == Problem("/cores", "must be 9223372036854775807 or less, got a number of 16610 bits")
    assert create.check_request(job(unknown=10**5000)) == []


@given(body=JSON)
@settings(deadline=None)
def test_any_value_gets_a_bounded_list_of_problems_and_hints(body: Any) -> None:
    """The words agree with the verdict: whatever is refused is explained, and nothing raises."""
    contract = load()
    for operation in (contract.operations["jobs.create"], contract.operations["files.get_upload_urls"]):
        before = copy.deepcopy(body)
        problems = operation.check_request(body)
        assert problems or isinstance(body, dict)
        assert len(problems) <= MAX_PROBLEMS
        for problem in problems:
            assert "must be something else" not in problem.message
            f"{problem.path} {problem.message}".encode()
        assert len(operation.unknown_fields(body)) <= MAX_PROBLEMS
        assert repr(before) == repr(body)


def test_a_fault_the_explainer_has_no_words_for_is_still_told() -> None:
    schemas = SchemaSet({"Odd": {"type": "number", "multipleOf": 2}})
    assert schemas.check("Odd", 4) == []
    assert schemas.check("Odd", 3) == [Problem("", "must be something else, got 3")]


def test_a_schema_is_compiled_when_it_is_first_asked_for_with_those_that_it_needs() -> None:
    schemas = SchemaSet(
        {
            "Text": {"type": "string"},
            "Needing": {"properties": {"a": {"$ref": "#/components/schemas/Text"}}},
            "NoSchema": {"type": "no type"},
        }
    )
    assert said(schemas.check("Needing", {"a": 1})) == ["/a must be a string, got 1"]
    with pytest.raises(ValueError, match="no type"):
        schemas.check("NoSchema", 1)


@pytest.mark.parametrize("whole", [load(), load_control()], ids=["service", "control"])
def test_every_schema_of_the_contracts_can_be_compiled(whole: Contract) -> None:
    names = {name for one in whole.operations.values() for name in one.response_schemas.values() if name}
    for name in sorted({*names, *whole.document["components"]["schemas"]}):
        assert whole.schemas.check(name, None) is not None
    for operation in whole.operations.values():
        assert operation.check_query({}) is not None


# Unknown fields


@pytest.mark.parametrize(
    ("body", "path", "closest"),
    [
        (job(scout_frame="1"), "/scout_frame", "scout_frames"),
        (job(title="a"), "/title", "job_title"),
        (job(machine_type="standard"), "/machine_type", "machine_flavor"),
        (job(user="kim"), "/user", "owner"),
        (job(upload_paths=[]), "/upload_paths", "upload_files"),
        (job(xyzzy=1), "/xyzzy", None),
        (job(autoretry_policy={"prempted": {"max_retries": 1}}), "/autoretry_policy/prempted", "preempted"),
        (job(tasks_data=[{"command": "a"}, {"command": "a", "cmd": "b"}]), "/tasks_data/1/cmd", "command"),
        (job(upload_files=[file(st_sise=3)]), "/upload_files/0/st_sise", "st_size"),
        (job(notify={"email": []}), "/notify/email", "emails"),
        (job(**{"a/b": 1}), "/a~1b", None),
    ],
)
def test_an_unknown_field_is_found_and_the_right_name_suggested(
    create: Operation, body: Any, path: str, closest: str | None
) -> None:
    assert create.check_request(body) == []
    near = f"; did you mean {closest!r}?" if closest else ""
    assert create.unknown_fields(body) == [Problem(path, f"is not in the contract{near}")]


def test_maps_have_no_unknown_fields(create: Operation) -> None:
    free = {"anything": "goes"}
    assert create.unknown_fields(job(environment=free, metadata=free, gpu_config=free)) == []


def test_unknown_fields_of_wrong_bodies_are_no_crash(create: Operation) -> None:
    bodies: list[Any] = [None, 7, [], job(tasks_data=7), job(tasks_data=[7, None]), {7: 8}]
    for body in bodies:
        assert create.unknown_fields(body) == []


def test_only_the_first_unknown_fields_are_told(create: Operation) -> None:
    assert len(create.unknown_fields(job(tasks_data=[{"command": "a", "b": 1}] * 5000))) == MAX_PROBLEMS
    (one,) = create.unknown_fields(job(**{"x" * 1_000_000: 1}))
    assert len(one.path) < 2 * MAX_SHOWN
    assert one.message == "is not in the contract"


# Operations


def test_operations_say_where_they_are_and_what_they_answer(contract: Contract) -> None:
    put = contract.operations["objects.put"]
    assert (put.method, put.path) == ("PUT", "/objects/{account_id}/{md5}")
    assert put.authentication == "never"
    assert contract.operations["packages.list"].authentication == "optional"
    assert contract.operations["jobs.create"].authentication == "required"
    assert contract.operations["jobs.create"].success_status == 201
    assert contract.operations["jobs.create"].retry == "NR"
    assert contract.operations["files.get_upload_urls"].statuses[:2] == (200, 204)
    assert put.check_request(b"any bytes") == []


def test_statuses_are_told_in_order_and_the_lowest_is_that_of_success(create: Operation) -> None:
    some = dataclasses.replace(create, response_schemas={404: None, 201: None, 400: None})
    assert (some.statuses, some.success_status) == ((201, 400, 404), 201)


def test_the_schema_of_a_body_is_whole_and_there_is_none_where_there_is_no_body(contract: Contract) -> None:
    document = contract.operations["jobs.act"].request_document()
    assert jsonschema_rs.validator_for(document).is_valid({"action": "kill", "jobids": ["00012"]})
    assert not jsonschema_rs.validator_for(document).is_valid({"action": "kill", "jobids": [12]})
    with pytest.raises(KeyError, match=r"jobs\.list"):
        contract.operations["jobs.list"].request_document()


def test_fields_of_an_answer_that_the_contract_does_not_name_are_told(contract: Contract) -> None:
    operation = contract.operations["projects.list"]
    answer: dict[str, Any] = {"data": [], "xyzzy": 1}
    assert [problem.path for problem in operation.unknown_answer_fields(200, answer)] == ["/xyzzy"]
    assert operation.unknown_answer_fields(299, answer) == []


def test_every_way_to_write_a_path_is_one_of_its_operation(contract: Contract) -> None:
    operation = contract.operations["projects.list"]
    assert operation.also_paths
    for template in (operation.path, *operation.also_paths):
        assert operation.matches(template)
        assert not operation.matches(f"{template}x/y")
    get = contract.operations["accounts.get"]
    assert [get.matches(f"/api/v1/accounts/{name}") for name in ("7", "a.b", "", "7/8")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/jobs/", "jobs.create"),
        ("get", "/api/v1/projects", "projects.list"),
        ("GET", "/api/v1/projects/", "projects.list"),
        ("PUT", "/objects/7/900150983cd24fb0d6963f7d28e17f72", "objects.put"),
        ("GET", "/api/v1/accounts/7", "accounts.get"),
    ],
)
def test_a_request_finds_its_operation(contract: Contract, method: str, path: str, operation: str) -> None:
    found = contract.find(method, path)
    assert found is not None
    assert found.id == operation


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/jobs/"), ("PUT", "/objects/7"), ("GET", "/"), ("POST", "/jobs")]
)
def test_a_request_that_fits_nothing_finds_nothing(contract: Contract, method: str, path: str) -> None:
    assert contract.find(method, path) is None


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("DELETE", "/jobs/", "jobs.create"),
        ("POST", "/jobs", "jobs.create"),
        ("POST", "/job", "jobs.create"),
        ("GET", "//api/oauth_jwt", "auth.token"),
        ("GET", "/api/v1/project", "projects.list"),
        ("GET", "/api/v1/ee/package", "packages.list"),
        ("POST", "/api/v2/files/get_upload_url", "files.get_upload_urls"),
        ("GET", "/api/v1/instance_types", "instance_types.list"),
        ("GET", "/", None),
        ("GET", "/favicon.ico", None),
        ("PUT", "/api/v1/accounts", "accounts.get"),
        ("GET", "/" + "x" * 1_000_000, None),
    ],
)
def test_a_near_miss_names_the_operation_that_was_meant(
    contract: Contract, method: str, path: str, operation: str | None
) -> None:
    near = near_miss(contract.operations.values(), method, path)
    assert (near.operation.id if near else None) == operation


def test_the_contract_is_read_once() -> None:
    assert load() is load()


def test_operations_cannot_be_replaced(contract: Contract) -> None:
    with pytest.raises(TypeError):
        contract.operations["jobs.create"] = contract.operations["jobs.list"]  # type: ignore[index]


def test_a_contract_of_another_document_can_be_read() -> None:
    text = """
security: []
components: {schemas: {Word: {type: string}}, responses: {}}
paths:
  /a:
    post:
      operationId: a.do
      tags: [a]
      summary: s
      description: d
      x-evidence: inferred
      x-source: s
      x-retry: R
      x-clients: []
      x-traps: []
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Word'}}}}
      responses: {'200': {description: d}}
"""
    operation = parse(text).operations["a.do"]
    assert operation.check_request("a") == []
    assert said(operation.check_request(7)) == ["the body must be a string, got 7"]


def test_reading_the_contract_needs_neither_client_nor_server_nor_test_tools() -> None:
    code = (
        "import sys; from conductor_contracts.contract import load; load();"
        "print([m for m in ('conductor', 'conductor_mock', 'hypothesis', 'requests', 'flask') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


# Queries, forms, names and media types


def test_a_browser_login_needs_no_key(contract: Contract) -> None:
    operation = contract.operations["auth.token"]
    assert operation.check_query({"redirect_uri": "http://localhost:8085/", "scope": "user"}) == []
    assert said(operation.check_query({"client_id": "a", "client_secret": "b"})) == [
        "/grant_type is required"
    ]


def test_a_form_is_checked(contract: Contract) -> None:
    operation = contract.operations["fileio.touch"]
    assert operation.check_form({"bytes_transferred": "4096", "more": "x"}) == []
    assert said(operation.check_form({"bytes_transferred": "many"})) == [
        '/bytes_transferred must be a whole number of bytes, got "many"'
    ]
    assert contract.operations["jobs.create"].check_form({"anything": "x"}) == []


def test_names_of_a_map_are_checked(contract: Contract) -> None:
    operation = contract.operations["files.get_upload_urls_v1"]
    md5 = "kAFQmDzST7DWlj99KOF/cg=="
    assert operation.check_request({"upload_files": {"/a": md5, "C:/b": md5}}) == []
    (problem,) = operation.check_request({"upload_files": {"proj/a": md5}})
    assert problem.path == "/upload_files/proj~1a"
    assert problem.message.startswith("has a name that must be an absolute path")


def test_a_body_of_another_documented_kind_is_not_looked_into(contract: Contract) -> None:
    operation = contract.operations["auth.token"]
    assert operation.check_response(200, "<h1>", "text/html") == []
    assert operation.check_response(200, "<h1>") != []
    assert operation.check_response(400, "<h1>", "text/html") != []


def test_json_is_labelled_as_json(contract: Contract) -> None:
    operation = contract.operations["projects.list"]
    assert said(operation.check_response(200, {"data": []}, "text/html")) == [
        "the body must be labelled application/json, is labelled text/html"
    ]
    assert said(operation.check_response(200, {"data": []}, "")) == [
        "the body must be labelled application/json, is labelled nothing"
    ]
    assert contract.check_error({"status": "error", "message": "no", "errors": []}, "text/plain") != []
    assert contract.operations["uploads.update"].check_response(200, None, "") == []


def test_a_request_for_the_headers_is_one_for_the_content(contract: Contract) -> None:
    path = "/objects/73/900150983cd24fb0d6963f7d28e17f72/im.png"
    assert contract.find("HEAD", path) is contract.find("get", path) is contract.operations["objects.get"]
    assert contract.find("HEAD", "/jobs/") is None


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/downloads/next", "downloads.next"),
        ("GET", "/downloads/12", "downloads.get"),
        ("POST", "/downloads/status", "downloads.report"),
        ("POST", "/downloads/d-1/fail", "downloads.fail"),
        ("POST", "/jobs/00012/downloads", "downloads.page"),
        ("PUT", "/uploads/client/next", "uploads.next"),
        ("PUT", "/coreweave/objects/73/parts/u/1", "objects.put_part"),
        ("PUT", "/coreweave/objects/73/900150983cd24fb0d6963f7d28e17f72", "objects.put"),
    ],
)
def test_routes_that_look_alike_are_told_apart(
    contract: Contract, method: str, path: str, operation: str
) -> None:
    found = contract.find(method, path)
    assert found is not None
    assert found.id == operation


@pytest.mark.parametrize(
    ("operation", "body", "path"),
    [
        ("jobs.act", {"action": "kill", "jobids": [12]}, "/jobids/0"),
        ("jobs.act", {"action": "Kill", "jobids": ["00012"]}, "/action"),
        ("tasks.act", {"action": "retry_failed", "jobid": "00012", "taskids": ["000"]}, "/action"),
        ("uploads.next", {"location": ["mars"]}, "/location"),
        ("uploads.next", [], ""),
        ("uploads.update", {"bytes_transfered": "12"}, "/bytes_transfered"),
        ("uploads.finish", {"upload_files": {"/a": "kAFQmDzST7DWlj99KOF/cg=="}}, "/upload_files/~1a"),
        ("downloads.page", {"tids": [3]}, "/tids/0"),
        ("downloads.report", {"download_id": "d", "status": "done"}, "/status"),
        (
            "downloads.report",
            {"download_id": "d", "status": "pending", "bytes_downloaded": -1},
            "/bytes_downloaded",
        ),
        ("companion.login", {"email": "a@b.example", "password": " "}, "/password"),
        ("companion.login", {"email": "", "password": "x"}, "/email"),
    ],
)
def test_bodies_that_cannot_be_meant_are_refused_where_they_are_wrong(
    contract: Contract, operation: str, body: Any, path: str
) -> None:
    assert [problem.path for problem in contract.operations[operation].check_request(body)] == [path]


FILEIO_TARGET = {
    "id": 1,
    "jid": "00001",
    "tid": "000",
    "destination": "/out/a",
    "file_size": 3,
    "md5": "kAFQmDzST7DWlj99KOF/cg==",
}


@pytest.mark.parametrize(
    ("operation", "answer", "status", "path"),
    [
        (
            "uploads.next",
            {"data": {"id": "u", "project": "p", "upload_files": ["/a"]}},
            201,
            "/data/upload_files",
        ),
        ("downloads.next", {"data": []}, 201, "/data"),
        ("env_vars.list", {"data": [{"account_id": 7, "env": []}]}, 200, "/data/0/account_id"),
        ("billing.get_usage", {"data": []}, 200, "/data"),
        (
            "logs.get",
            {"logs": [], "new_num_lines": [0], "status_description": "", "task_status": "running"},
            200,
            "/logs",
        ),
        (
            "fileio.next",
            [{"id": 1, "url": "http://x/a", "download_file": FILEIO_TARGET}],
            200,
            "/0/download_file/dlid",
        ),
    ],
)
def test_answers_that_crash_clients_break_the_contract(
    contract: Contract, operation: str, answer: Any, status: int, path: str
) -> None:
    """Traps 20, 22, 18, 27 and 29; the daemon of 2019 indexes `dlid` (wire reference 2.21)."""
    assert [one.path for one in contract.operations[operation].check_response(status, answer)] == [path]


def test_a_byte_order_mark_is_not_blank_as_clients_in_python_see_it() -> None:
    """`\\s` of a schema's pattern holds it, `str.isspace` does not."""
    job = {"job_title": "a", "project": "default", "instance_type": "n1-standard-2", "output_path": "/o"}
    operation = load().operations["jobs.create"]
    assert operation.check_request({**job, "tasks_data": [{"command": "\ufeff"}]}) == []
    assert operation.check_request({**job, "tasks_data": [{"command": " \t\n"}]}) != []


def test_what_is_wrong_with_a_request_and_what_is_not_known_of_it_are_told_together(
    contract: Contract,
) -> None:
    create, usage = contract.operations["jobs.create"], contract.operations["billing.get_storage_usage"]
    told = create.wrong_in_body({"job_titel": "comp", "priority": "high"})
    assert {"/priority", "/job_titel"} <= {problem.path for problem in told}
    assert len(create.wrong_in_body({f"field{number}": 1 for number in range(50)})) == MAX_PROBLEMS
    told = usage.wrong_in_query({"strat": "2026-01-01"})
    assert [problem.path for problem in told] == ["start", "end", "strat"]
