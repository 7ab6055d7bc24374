"""The family of errors: its tree, and what each carries."""

from __future__ import annotations

import pickle
import re

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
    Problem,
    RefusedError,
)


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
        FileChangedError("changed", path="/a", expected="x", actual="y", operation="objects.put"),
        BadArgumentError.listing([Problem("cores", "-1", "a whole number from 1")]),
    ],
)
def test_errors_survive_a_trip_between_processes(error: ConductorError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


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
