"""How values and names are told in messages: shortly, whatever their size, and safe to write anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_contracts.contract import load
from conductor_contracts.operation import ALSO_CALLED, advice_on_operation, wrong_label
from conductor_contracts.problems import Problem, advice, clip, count, nearest, pointer, show


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("text", '"text"'),
        ("ö\n", '"ö\\n"'),
        ("x" * 78, '"' + "x" * 78 + '"'),
        ("x" * 79, '"' + "x" * 78 + "…"),
        ("x" * 1000, '"' + "x" * 78 + "…"),
        ("\ud800", '"\\ud800"'),
        ({}, "an object of 0 fields"),
        ({"a": 1}, "an object of 1 field"),
        ([1, 2], "a list of 2 items"),
        ((1,), "a list of 1 item"),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        (2**256 - 1, str(2**256 - 1)),
        (2**256, "a number of 257 bits"),
        (b"x", "a Python bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_is_told_in_a_few_words(value: Any, told: str) -> None:
    assert show(value) == told


@pytest.mark.parametrize(("size", "cut"), [(80, False), (81, True)])
def test_a_text_is_cut_behind_eighty_characters(size: int, cut: bool) -> None:
    assert clip("x" * size) == ("x" * 79 + "…" if cut else "x" * size)
    assert clip("\udc80") == "\\udc80"


@pytest.mark.parametrize(
    ("step", "told"),
    [("a", "/top/a"), (0, "/top/0"), ("a/b~c", "/top/a~1b~0c"), ("x" * 81, "/top/" + "x" * 79 + "…")],
)
def test_a_pointer_is_escaped_and_its_names_are_cut(step: str | int, told: str) -> None:
    assert pointer("/top", step) == told


def test_a_problem_without_a_place_is_one_of_the_body() -> None:
    assert str(Problem("/a", "is wrong")) == "/a is wrong"
    assert str(Problem("", "is wrong")) == "the body is wrong"


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("scuot", ["scout", "other"], "; did you mean 'scout'?"),
        ("zzz", ["one", "two"], "; accepted are one, two"),
        ("zzz", [], ""),
        (
            "zzz",
            [f"name{number}" for number in range(12)],
            "; accepted are " + ", ".join(f"name{n}" for n in range(12)),
        ),
        ("zzz", [f"name{number}" for number in range(13)], ""),
        ("x" * 81, ["x" * 80], "; accepted are " + "x" * 80),
    ],
    ids=["near", "few", "none", "twelve", "thirteen", "long"],
)
def test_a_name_that_is_not_known_gets_the_one_that_was_meant_or_all_if_they_are_few(
    name: str, known: list[str], told: str
) -> None:
    assert advice(name, known) == told


def test_what_people_call_it_comes_before_what_looks_like_it() -> None:
    assert advice("label", ["labels", "title"], {"label": "title"}) == "; did you mean 'title'?"
    assert advice("label", ["labels", "title"], {"other": "title"}) == "; did you mean 'labels'?"
    assert nearest("x" * 80, ["x" * 80 + "y"]) == "x" * 80 + "y"


def test_one_thing_is_one_and_all_other_numbers_are_several() -> None:
    assert [count(number, "job") for number in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]


def test_parameters_and_fields_that_are_not_known_are_told_with_the_near_name() -> None:
    operations = load().operations
    page = operations["downloads.page"]
    assert page.unknown_parameters(["limit", "start_cursor"]) == []
    assert page.unknown_parameters(["limt"]) == [
        Problem("/limt", "is no parameter here; did you mean 'limit'?")
    ]
    assert len(page.unknown_parameters([f"zzz{number}" for number in range(100)])) == 20
    assert page.unknown_parameters(["jid"])[0].path == "/jid", "it is one of the path"
    create = operations["jobs.create"]
    assert [problem.path for problem in create.unknown_fields({"job_title": "t", "scuot_frames": "1"})] == [
        "/scuot_frames"
    ]


def test_fields_of_a_form_that_are_not_known_are_told() -> None:
    operations = [one for one in load().operations.values() if one.form_schema]
    assert operations
    for operation in operations:
        (problem,) = operation.unknown_form_fields({"xyzzy": "1"})
        assert problem.path == "/xyzzy"
        assert "is not in the contract" in problem.message


def test_a_label_that_is_not_of_json_is_told() -> None:
    assert wrong_label("application/json") == []
    assert wrong_label("text/html") == [
        Problem("", "must be labelled application/json, is labelled text/html")
    ]
    assert wrong_label("") == [Problem("", "must be labelled application/json, is labelled nothing")]


def test_whether_no_query_will_do_is_known_of_each_operation() -> None:
    needing = {one.id for one in load().operations.values() if one.needs_query}
    assert needing >= {"billing.get_storage_usage", "logs.get"}
    assert not needing & {"jobs.list", "downloads.next", "packages.list"}


def test_what_people_call_an_operation_leads_to_the_one_that_there_is() -> None:
    known = load().operations
    assert set(ALSO_CALLED.values()) <= set(known)
    assert not set(ALSO_CALLED) & set(known)
    for called, meant in ALSO_CALLED.items():
        assert advice_on_operation(called, known) == f"; did you mean {meant!r}?"
    said = {"upload", "uploads", "put", "objects.upload", "files.upload"}
    assert {name for name, meant in ALSO_CALLED.items() if meant == "objects.put"} == said
    said = {"download", "downloads", "objects.download", "files.download"}
    assert {name for name, meant in ALSO_CALLED.items() if meant == "objects.get"} == said
    assert {"submit", "jobs.submit", "jobs.post", "login", "token", "oauth"} <= set(ALSO_CALLED)
    assert advice_on_operation("Upload", known) == "; did you mean 'objects.put'?"
    assert advice_on_operation("jobs.creat", known) == "; did you mean 'jobs.create'?"
    assert advice_on_operation("xyz", known) == "; 'conductor-contracts list' shows all"
    assert advice_on_operation("submit", ["control.reset"]) == "; accepted are control.reset"
