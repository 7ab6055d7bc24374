"""The family of errors: its tree, and what each carries."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from conductor.lib import exceptions
from conductor.lib.exceptions import (
    Acted,
    BadArgumentError,
    ConductorError,
    ConfigError,
    EnvironmentMergeError,
    FileChangedError,
    InvalidPathError,
    OutcomeUnknownError,
    Problem,
    RefusedError,
)
from conductor.lib.wire.operations import OPERATIONS, Operation
from conductor.lib.wire.outcomes import Answer, Failure, FailureKind
from conductor.lib.wire.refusals import Attempted, error_for
from conductor.lib.wire.retry import Doubt, doubt_of


def family(root: type[ConductorError] = ConductorError) -> dict[str, str]:
    """Return every class of the module by name, with the name of its parent."""
    tree = {}
    for child in root.__subclasses__():
        if child.__module__ == exceptions.__name__:
            tree[child.__name__] = root.__name__
            tree.update(family(child))
    return tree


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            if depth:
                drawn[match[2]] = above[depth - 1]
    assert drawn == family()


@pytest.mark.parametrize("kind", [BadArgumentError, ConfigError, InvalidPathError, EnvironmentMergeError])
def test_wrong_values_are_value_errors_too(kind: type[ConductorError]) -> None:
    assert issubclass(kind, ValueError)


def test_the_exit_codes_are_the_documented_ones() -> None:
    codes = {"ConductorError": 1}
    codes |= {name: getattr(exceptions, name).exit_code for name in family()}
    assert {name for name, code in codes.items() if code == 4} == {"OutcomeUnknownError"}
    assert {name for name, code in codes.items() if code == 3} == {"LoginError"}
    assert {name for name, code in codes.items() if code == 2} == {
        name for name in family() if issubclass(getattr(exceptions, name), exceptions.FixInputError)
    }


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("no", operation="jobs.create", status=400, attempts=2, acted=Acted.NO),
        OutcomeUnknownError("lost", operation="jobs.create", under_way=False, candidates=["00007"]),
        FileChangedError("changed", path="/a", expected="x", actual="y", operation="objects.put"),
        BadArgumentError.listing([Problem("cores", "-1", "a whole number from 1")]),
    ],
)
def test_errors_survive_a_trip_between_processes(error: ConductorError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def everyone() -> list[type[ConductorError]]:
    return [ConductorError, *(getattr(exceptions, name) for name in family())]


@pytest.mark.parametrize("kind", everyone(), ids=lambda kind: kind.__name__)
def test_every_error_has_the_facts_and_says_what_to_do_next(kind: type[ConductorError]) -> None:
    error = kind("hm")
    assert (error.operation, error.status, error.attempts) == (None, None, 0)
    assert error.acted is (Acted.UNKNOWN if kind is OutcomeUnknownError else Acted.NO)
    assert error.advice


def test_the_reference_gives_the_advice_and_exit_code_of_every_branch() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    for names, code, advice in rows:
        kinds = [getattr(exceptions, name) for name in re.findall(r"`(\w+Error)`", names)]
        assert kinds
        assert {(kind.exit_code, kind.advice) for kind in kinds} == {(int(code), advice)}
    told = {kind.advice for kind in everyone() if kind is not ConductorError}
    assert told == {advice for _, _, advice in rows}


OUTCOMES: list[Answer | Failure] = [
    *(
        Answer(status, {}, b"")
        for status in (200, 302, 303, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504)
    ),
    *(Failure(kind, "text") for kind in FailureKind),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_outcome_of_every_operation_is_an_error_with_its_facts(operation: Operation) -> None:
    for outcome in OUTCOMES:
        if isinstance(outcome, Answer) and operation.accepts(outcome.status):
            continue
        doubt = doubt_of(operation, outcome)
        error = error_for(outcome, Attempted(operation, "http://host", 3, doubt=doubt))
        assert (error.operation, error.attempts) == (operation.id, 3)
        assert error.status == (outcome.status if isinstance(outcome, Answer) else None)
        may_have_acted = operation.changes_state and doubt is not Doubt.NONE
        assert error.acted is (Acted.UNKNOWN if may_have_acted else Acted.NO), outcome


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_a_last_attempt_that_did_nothing_does_not_speak_for_those_before(operation: Operation) -> None:
    error = error_for(Answer(400, {}, b"no"), Attempted(operation, "http://host", 2, doubt=Doubt.OPEN))
    assert error.acted is (Acted.UNKNOWN if operation.changes_state else Acted.NO)
    assert isinstance(error, OutcomeUnknownError) == (not operation.repeatable)


def test_one_problem_is_one_line_and_several_are_listed() -> None:
    first, second = (
        Problem("cores", "-1", "a number"),
        Problem("job_title", "7", "text", "CONDUCTOR_JOB_TITLE"),
    )
    assert str(BadArgumentError.listing([first])) == "wrong argument cores: given -1; accepted: a number"
    assert str(BadArgumentError.listing([first, second])).splitlines() == [
        "2 arguments are wrong:",
        "  cores: given -1; accepted: a number",
        "  job_title (from CONDUCTOR_JOB_TITLE): given 7; accepted: text",
    ]
