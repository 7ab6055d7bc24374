"""control.yaml as a document: its layout, its words, and examples that keep it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from conductor_contracts.contract import load, load_control
from conductor_contracts.interactions import CONTROL, load_interactions
from conductor_contracts.operation import JSON, Operation
from conductor_contracts.references import resolve
from support.schema_keywords import EXPLAINED_KEYWORDS

DOCUMENT = load_control().document
OPERATIONS = load_control().operations
NOTES = {"description", "example"}


def spec(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def schemas(node: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below a schema, itself included."""
    yield place, node
    for name, part in node.get("properties", {}).items():
        yield from schemas(part, f"{place}.{name}")
    for keyword in ("items", "additionalProperties", "propertyNames", "not", "if", "then"):
        if isinstance(node.get(keyword), dict):
            yield from schemas(node[keyword], f"{place}.{keyword}")
    for keyword in ("allOf", "anyOf"):
        for number, part in enumerate(node.get(keyword, ())):
            yield from schemas(part, f"{place}.{keyword}{number}")


ALL = [pair for name, node in DOCUMENT["components"]["schemas"].items() for pair in schemas(node, name)]


def test_an_operation_is_named_after_its_resource_and_tagged_with_it() -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for operation in OPERATIONS.values():
        assert re.fullmatch(rf"control\.{operation.tag}\.[a-z]+", operation.id)
    assert {operation.tag for operation in OPERATIONS.values()} == tags


def test_no_operation_is_one_of_the_service() -> None:
    assert not set(OPERATIONS) & set(load().operations)
    for operation in OPERATIONS.values():
        assert operation.path.startswith("/_mock/")
        assert load().find(operation.method, operation.path) is None


def test_every_operation_parameter_and_answer_is_described() -> None:
    for operation in OPERATIONS.values():
        assert operation.summary, operation.id
        assert operation.description, operation.id
        assert all(one.description for one in operation.parameters), operation.id
        for answer in spec(operation)["responses"].values():
            assert resolve(DOCUMENT, answer)["description"], operation.id


def test_path_parameters_are_those_of_the_path() -> None:
    for operation in OPERATIONS.values():
        declared = {one.name for one in operation.parameters if one.place == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", operation.path)), operation.id


def test_whose_account_is_meant_can_be_said_wherever_one_is() -> None:
    for operation in OPERATIONS.values():
        names = {one.name for one in operation.parameters if one.place == "query"}
        is_about_one = operation.tag != "contracts" and operation.authentication != "never"
        assert ("account" in names) == is_about_one, operation.id


def test_what_is_open_to_all_tells_of_nobody_and_changes_nothing() -> None:
    opened = [one for one in OPERATIONS.values() if one.authentication == "never"]
    assert [one.id for one in opened] == ["control.health.live", "control.health.ready"]
    for operation in opened:
        assert (operation.method, operation.parameters) == ("GET", ())
        assert set(operation.statuses) == {200, 400, 503}


def test_a_write_says_what_it_may_be_refused_for() -> None:
    for operation in OPERATIONS.values():
        if operation.authentication == "never":
            continue
        assert {400, 401, 403, 404, 503, 507} <= set(operation.statuses), operation.id
        if operation.method != "GET":
            assert {409, 413, 415} <= set(operation.statuses), operation.id
        assert 500 not in operation.statuses, operation.id


def test_every_get_says_what_an_account_gets_that_was_never_used() -> None:
    for operation in OPERATIONS.values():
        assert (operation.method == "GET") == ("x-never-used" in spec(operation)), operation.id


def test_every_refusal_has_the_error_shape_of_the_service() -> None:
    for operation in OPERATIONS.values():
        for status, schema in operation.response_schemas.items():
            assert (schema == "Error") == (status >= 400), (operation.id, status)
    ours = load_control().schemas
    for body in (
        {"status": "error", "message": "no", "errors": []},
        {"status": "error", "message": "no", "errors": [{"path": "/a", "message": "is not known"}]},
        {"status": "success", "message": "no", "errors": []},
        {"status": "error", "message": "", "errors": []},
        {"status": "error", "errors": []},
        {"status": "error", "message": "no", "errors": [{"path": "/a"}]},
    ):
        assert ours.check("Error", body) == load().check_error(body)


def test_the_schemas_use_only_keywords_that_can_be_explained() -> None:
    strange = {
        f"{place}: {keyword}"
        for place, node in ALL
        for keyword in node
        if not (keyword in EXPLAINED_KEYWORDS or keyword in NOTES or keyword.startswith("x-"))
    }
    assert strange == set()


def test_what_schema_jargon_would_explain_badly_is_put_in_words() -> None:
    silent = []
    for place, node in ALL:
        inside_a_rule = re.search(r"\.(allOf|anyOf|if|then|not)", place)
        if not inside_a_rule and {"pattern", "not", "anyOf"} & node.keys() and "x-expect" not in node:
            silent.append(place)
        if re.search(r"\.allOf\d+$", place) and {"anyOf", "not"} & node.keys() and "x-fault" not in node:
            silent.append(place)
    assert silent == []


def test_an_object_takes_no_names_beside_its_own_unless_it_is_free() -> None:
    for place, node in ALL:
        if re.search(r"\.(allOf|anyOf|if|then|not)", place):
            continue
        if "properties" in node or node.get("type") in ("object", ["object", "null"]):
            assert "additionalProperties" in node, place


def test_references_lead_somewhere_and_every_component_is_used() -> None:
    components = DOCUMENT["components"]
    used = {node["$ref"].rpartition("/")[2] for _, node in ALL if "$ref" in node}
    for operation in OPERATIONS.values():
        used |= {name for name in (operation.request_schema, *operation.response_schemas.values()) if name}
    assert used == set(components["schemas"])
    whole = str(DOCUMENT["paths"])
    for kind in ("responses", "parameters"):
        assert all(f"'#/components/{kind}/{name}'" in whole for name in components[kind])


def examples(holder: dict[str, Any]) -> list[Any]:
    media = holder.get("content", {}).get(JSON, {})
    named = [one["value"] for one in media.get("examples", {}).values()]
    return named or ([media["example"]] if "example" in media else [])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.id)
def test_examples_keep_the_contract(operation: Operation) -> None:
    bodies = examples(spec(operation).get("requestBody", {}))
    assert bool(bodies) == (operation.request_schema is not None)
    for body in bodies:
        assert operation.check_request(body) == []
    for status, answer in spec(operation)["responses"].items():
        if int(status) < 300 and operation.response_schemas[int(status)]:
            (example,) = examples(answer)
            assert operation.check_response(int(status), example) == []


@pytest.mark.parametrize(
    ("operation", "body", "problem"),
    [
        ("clock.move", {}, "the body must have advance (seconds), speed, or both; or until"),
        ("clock.move", {"advances": 1}, "/advances is not known; did you mean 'advance'?"),
        (
            "clock.move",
            {"advance": "1"},
            '/advance must be simulated seconds from 0 to 316224000 (ten years), got "1"',
        ),
        (
            "clock.move",
            {"advance": True},
            "/advance must be simulated seconds from 0 to 316224000 (ten years), got true",
        ),
        ("clock.move", {"until": "idel"}, '/until must be "idle" or {"job": JID}, got "idel"'),
        ("clock.move", {"until": {"jobs": "1"}}, "/until/jobs is not known; did you mean 'job'?"),
        ("clock.move", {"until": {"job": 1}}, "/until/job must be a string, got 1"),
        ("clock.move", {"until": "idle", "speed": 1}, "/until stands alone, or with within"),
        ("clock.move", {"advance": 1, "within": 5}, "/until is required with within"),
        (
            "clock.move",
            {"until": "idle", "within": 4000},
            "/within must be wall seconds from 0 to 3600, got 4000",
        ),
        (
            "clock.move",
            [],
            "the body must be an object with advance (seconds), speed, or both; or with until, got a list of 0 items",
        ),
        ("jobs.change", {}, "the body must have priority, instance_type, or both"),
        ("jobs.change", {"priority": "5"}, '/priority must be a whole number, got "5"'),
        ("tasks.force", {}, "/status is required"),
        (
            "tasks.force",
            {"status": "won"},
            '/status must be "success", "failed", "preempted" or "killed", got "won"',
        ),
        ("tasks.force", {"status": "failed", "code": 1}, "/code is not known; did you mean 'exit_code'?"),
        ("tasks.force", {"status": "failed", "exit_code": 256}, "/exit_code must be 255 or less, got 256"),
        ("options.change", {"provider": "aws"}, '/provider must be "gcs" or "s3", got "aws"'),
        ("options.change", {"part_size": 0}, "/part_size must be 1 or more, got 0"),
        ("options.change", {"sede": 7}, "/sede is not known; did you mean 'seed'?"),
        ("outcomes.add", {}, "the body must have outcome, duration, or both"),
        (
            "outcomes.add",
            7,
            "the body must be an object with match and outcome, duration, or both; or a list of such, got 7",
        ),
        (
            "outcomes.add",
            {"outcome": "won"},
            '/outcome must be "success", "failed" or "preempted", got "won"',
        ),
        ("outcomes.add", {"outcome": []}, "/outcome must have 1 or more items, has 0"),
        (
            "outcomes.add",
            {"duration": -1},
            "/duration must be simulated seconds from 0 to 2592000 (thirty days), got -1",
        ),
        ("outcomes.add", {"duration": 1, "exit_code": 0}, "/exit_code must be 1 or more, got 0"),
        (
            "outcomes.add",
            [{"duration": 1, "match": {"frame": "1"}}],
            "/0/match/frame is not known; did you mean 'frames'?",
        ),
        ("faults.add", {"match": {}}, "/fault is required"),
        ("faults.add", {"fault": {"status": 503}}, "/fault/kind is required"),
        ("faults.add", {"fault": {"kind": "status"}, "time": 1}, "/time is not known; did you mean 'times'?"),
        ("faults.add", {"fault": {"kind": "status"}, "skip": -1}, "/skip must be 0 or more, got -1"),
        (
            "faults.add",
            {"fault": {"kind": "status"}, "match": {"operations": "jobs.create"}},
            "/match/operations is not known; did you mean 'operation'?",
        ),
        ("catalog.replace", [], "the body must be an object or null, got a list of 0 items"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(operation: str, body: Any, problem: str) -> None:
    found = OPERATIONS[f"control.{operation}"].check_request(body)
    assert str(found[0]) == problem


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("clock.move", {"advance": 3.5}),
        ("clock.move", {"until": {"job": "00001"}, "within": 0}),
        ("outcomes.add", []),
        ("outcomes.add", {"match": {"metadata": {"a": [1]}}, "outcome": "failed"}),
        ("faults.add", {"fault": {"kind": "status"}, "times": None, "skip": None}),
        ("tasks.force", {"status": "failed", "exit_code": None}),
        ("options.change", {}),
        ("catalog.replace", None),
    ],
)
def test_what_was_always_taken_is_taken(operation: str, body: Any) -> None:
    assert OPERATIONS[f"control.{operation}"].check_request(body) == []


def test_an_unknown_parameter_is_told_with_the_near_name() -> None:
    found = OPERATIONS["control.requests.list"].unknown_parameters(["operaton", "method", "zz"])
    assert list(map(str, found)) == [
        "/operaton is no parameter here; did you mean 'operation'?",
        "/zz is no parameter here; accepted are account, after, before, limit, method, operation, path",
    ]


@pytest.mark.parametrize("limit", ["0", "-1", "10001", "1.5", "x", "", "\u0661", "9" * 5000])
def test_a_limit_is_a_number_that_the_journal_can_hold(limit: str) -> None:
    (problem,) = OPERATIONS["control.requests.list"].check_query({"limit": limit})
    assert problem.message.startswith("must be a whole number from 1 to 10000, got ")


def test_the_interactions_ask_the_control_api_as_it_wants_to_be_asked() -> None:
    asked = 0
    for one in load_interactions():
        for step in (*one.steps, *one.cleanup):
            if step.operation == CONTROL:
                path = re.sub(r"\$\{\w+\}", "00001", str(step.request.path))
                operation = load_control().find(step.request.method or "GET", path)
                assert operation is not None, one.id
                body = step.request.body
                if body is not None and "$" not in str(body):
                    assert operation.check_request(body) == [], one.id
                assert set(step.expect.status) <= set(operation.statuses), one.id
                asked += 1
    assert asked > 15
