"""A request that fits no operation names the one that was meant, and what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_contracts.contract import Contract, load, load_control
from conductor_contracts.near_miss import MAX_TOLD, closest, near_miss, told
from conductor_contracts.operation import Operation
from conductor_contracts.problems import Problem

OPERATIONS = list(load().operations.values())
SAYING_NOTHING = (
    "api",
    "REST",
    "v7",
    "client",
    "12",
    "0123456789ab",
    "{job}",
    "01234567-0123-0123-0123-0123456789ab",
)


def an_operation(path: str, *also_called: str) -> Operation:
    return replace(
        load().operations["jobs.list"], id="x.y", path=path, also_paths=(), also_called=also_called
    )


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/api/v1/jobs", "jobs.create"),
        ("POST", "/api/v1/jobs/create", "jobs.create"),
        ("POST", "/api/v1/submit", "jobs.create"),
        ("GET", "/jobs", "jobs.list"),
        ("GET", "/api/v1/jobs/123", "jobs.get"),
        ("GET", "/api/v1/jobs/123/status", "jobs.get"),
        ("POST", "/api/v1/jobs/123/cancel", "jobs.act"),
        ("PUT", "/api/v1/jobs/123/kill", "jobs.act"),
        ("GET", "/api/v1/jobs/123/tasks", "tasks.list"),
        ("GET", "/api/v1/jobs/123/tasks/003/logs", "logs.get"),
        ("GET", "/api/v1/jobs/123/outputs", "downloads.page"),
        ("GET", "/api/v1/machines", "instance_types.list"),
        ("GET", "/v1/machine-types", "instance_types.list"),
        ("GET", "/api/v1/software", "packages.list"),
        ("GET", "/api/v1/account", "accounts.get"),
        ("GET", "/api/v1/users/me", "accounts.get"),
        ("POST", "/auth/token", "auth.token"),
        ("POST", "/oauth/token", "auth.token"),
        ("POST", "/api/v1/files/upload", "files.get_upload_urls"),
        ("GET", "/api/v1/billing/usage", "billing.get_usage"),
        ("GET", "/unknown/words/machines", "instance_types.list"),
        ("GET", "/three/unknown/words/machines", None),
        *(("GET", f"/{step}/unknown/words/machines", "instance_types.list") for step in SAYING_NOTHING),
        ("GET", "/unknown/jid", None),
        ("GET", "/metrics", None),
        ("GET", "/wp-login.php", None),
        ("GET", "/", None),
    ],
)
def test_a_path_that_people_guess_leads_to_the_operation_that_they_want(
    method: str, path: str, operation: str | None
) -> None:
    near = near_miss(load().operations.values(), method, path)
    assert (near and near.operation.id) == operation


def test_a_path_is_near_when_it_is_just_as_much_alike_as_need_be() -> None:
    operation = an_operation("/abcdefghijklm")
    assert closest([operation], "GET", "/abcdefg") is operation
    assert closest([operation], "GET", "/abcdef") is None


def test_what_stands_in_place_of_a_parameter_does_not_count() -> None:
    operation = an_operation("/aaaa/{id}")
    assert closest([operation], "GET", f"/aaab/{'z' * 30}") is operation
    assert closest([an_operation("/{id}")], "GET", "//a") is None
    assert closest([operation], "GET", "/a/b") is None


def test_texts_that_are_too_different_in_length_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("difflib.SequenceMatcher", lambda *_: pytest.fail("they are compared"))
    for path, template in (("/ghijkl", "/uvwxyzabcdefg"), ("/uvwxyzabcdefg", "/ghijkl")):
        assert closest([an_operation(template)], "GET", path) is None


def test_of_operations_that_are_called_by_the_last_word_the_others_decide() -> None:
    frames, billing = an_operation("/pppp", "frames usage"), an_operation("/pppp", "billing usage")
    assert closest([frames, billing], "GET", "/billing/usage") is billing
    assert closest([billing, frames], "GET", "/billing/usage") is billing


@st.composite
def near_paths(draw: st.DrawFn) -> tuple[Operation, str, str]:
    """An operation, and a method and a path that are one or two slips away from it."""
    operation = draw(st.sampled_from(OPERATIONS))
    steps = [
        draw(st.sampled_from(["7", "00012", "5c4b1f6d9a3e"])) if step.startswith("{") else step
        for step in operation.path.strip("/").split("/")
    ]
    named = [n for n, step in enumerate(steps) if len(step) > 4 and not step[0].isdigit() and step.isascii()]
    slip = draw(st.sampled_from(["letter", "prefix", "slash", "plural"]))
    if slip == "letter" and named:
        at = draw(st.sampled_from(named))
        place = draw(st.integers(1, len(steps[at]) - 1))
        steps[at] = steps[at][:place] + draw(st.sampled_from(["", "x"])) + steps[at][place + 1 :]
    elif slip == "prefix":
        steps = [
            *draw(st.sampled_from([["api", "v1"], ["api", "v3"], ["v2"]])),
            *(s for s in steps if s != "api"),
        ]
    elif slip == "plural" and named:
        steps[named[-1]] = (
            steps[named[-1]].removesuffix("s") if steps[named[-1]][-1] == "s" else f"{steps[named[-1]]}s"
        )
    path = "/" + "/".join(steps) + ("/" if slip == "slash" else "")
    return operation, operation.method, path


@settings(max_examples=300)
@given(near=near_paths())
def test_a_slip_leads_back_to_its_operation_or_to_one_as_near(near: tuple[Operation, str, str]) -> None:
    operation, method, path = near
    found = near_miss(load().operations.values(), method, path)
    assert found is not None, f"{method} {path}"
    alike = {operation.id, operation.id.removesuffix("_v1")}  # two that differ in the version alone
    if found.operation.id not in alike and f"{found.operation.id}_v1" not in alike:
        # A shorter way: what is said of the one found is no more than of the one meant.
        assert found.operation.path.strip("/").split("/")[0] == operation.path.strip("/").split("/")[0]


@settings(max_examples=200)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "a b"]),
    path=st.text("/{}abjos1_é\n", max_size=300).map(lambda text: f"/{text}"),
    body=st.none() | st.tuples(st.none() | st.integers() | st.text() | st.lists(st.integers(), max_size=30)),
)
def test_whatever_is_asked_for_there_is_an_answer_of_a_bounded_size(
    method: str, path: str, body: tuple[Any] | None
) -> None:
    for contract in (load(), load_control()):
        near = near_miss(contract.operations.values(), method, path, body=body)
        if near is not None:
            assert len(near.sentence) < 2000
            assert len(near.differences) <= 20


def test_all_that_differs_is_said_in_one_sentence() -> None:
    near = near_miss(
        load().operations.values(),
        "PUT",
        "/api/v1/jobs/create",
        body=({"title": "a", "tasks": []},),
        has_token=False,
    )
    assert near is not None
    places = [problem.path for problem in near.differences]
    assert places == ["method", "path", "Authorization", "/tasks_data", "/instance_type", "/title", "/tasks"]
    assert near.sentence.startswith(
        "the closest is POST /jobs/ (jobs.create), which differs in method and path; for it Authorization must be "
    )
    assert "/title is not in the contract; did you mean 'job_title'?" in near.sentence
    assert near.sentence.count("; /") <= MAX_TOLD


@pytest.mark.parametrize("method", ["GET", "get", "HEAD", "head"])
def test_a_method_differs_by_what_it_does(method: str) -> None:
    near = near_miss(OPERATIONS, method, "/job")
    assert near is not None
    assert near.sentence == "the closest is GET /api/v1/jobs (jobs.list), which differs in path"


def test_what_differs_is_told_in_a_line_and_kept_with_its_places() -> None:
    near = near_miss(OPERATIONS, "GET", "/job", query={"filtr": "x"}, has_token=True)
    assert near is not None
    path = "must be /api/v1/jobs, got /job"
    query = "is no parameter here; did you mean 'filter'?"
    assert near.difference == f"jobs.list: path {path}; filtr {query}"
    assert near.to_json() == {
        "operation": "jobs.list",
        "method": "GET",
        "path": "/api/v1/jobs",
        "differences": [{"path": "path", "message": path}, {"path": "filtr", "message": query}],
    }


def test_a_token_is_only_missed_where_one_is_wanted() -> None:
    without = [near_miss(OPERATIONS, "GET", path, has_token=False) for path in ("/job", "/oauth/tokens")]
    places = [[problem.path for problem in near.differences] for near in without if near is not None]
    assert places == [["path", "Authorization"], ["path"]]


def test_of_many_problems_the_first_are_told_and_the_rest_is_counted() -> None:
    problems = [Problem(f"/{number}", "is wrong") for number in range(7)]
    first = "; ".join(f"/{number} is wrong" for number in range(5))
    assert [told(problems[:count]) for count in (5, 7)] == [first, f"{first}; and 2 more"]


def test_a_body_that_is_missing_is_said() -> None:
    near = near_miss(load().operations.values(), "POST", "/job/")
    assert near is not None
    assert near.sentence.endswith("which differs in path; for it the body must be JSON, there is none")


def test_other_names_of_operations_are_words_and_those_of_one_operation_alone() -> None:
    seen: dict[str, str] = {}
    for operation in OPERATIONS:
        for name in operation.also_called:
            assert seen.setdefault(name, operation.id) == operation.id
    assert {"machines", "kill", "submit"} <= set(seen)
    assert isinstance(load(), Contract)
