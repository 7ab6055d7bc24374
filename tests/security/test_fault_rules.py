"""Rules of faults whose `path` means harm: refused with a sentence, or matched in linear time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.contract import load_control
from conductor_mock.faults.paths import MAX_LENGTH, MAX_PATH, PathPattern, PathPatternError
from conductor_mock.faults.reading import FaultError, read_rule
from conductor_mock.faults.rules import MAX_RULES, Faults
from support import security_page

# Each takes Python's `re` longer than the age of the universe, on a path of some dozens of characters.
BACKTRACKING = [
    "(.*a){25}!", "(a+)+!", "(a|a)*!", "(a|aa)+!", "(.*)*!", "(a*)*b", "([a-z]+)*[0-9]", "(x+x+)+y", "(.*.*)*=",
    "(a?){30}a{30}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(/?a*)*!", "(?:a+){20,40}!", ".*" * 100 + "!",
]  # fmt: skip
REFUSED = [
    "(", "[", "*", "a**b(", "(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "(?P<a>x)(?P=a)", "(?(1)a|b)", "a{1001}",
    "((a{100}){100}){100}", "(?#c", "\\", "a{2,1}", "[b-a]", "(?z)",
]  # fmt: skip
LONG = ["/" + "a" * (MAX_PATH - 1), "/" + "xa" * 4000, "/" + "a/" * 4000, "/" + "é" * 4000]


def rule(path: Any) -> dict[str, Any]:
    return {"match": {"path": path}, "fault": {"kind": "status"}}


def test_the_table_of_limits_says_what_rules_are_held_to() -> None:
    said = security_page.limits("server")
    assert said["characters of a fault rule's `path`"] == str(MAX_LENGTH)
    assert said["characters of a request's path that is compared with one"] == f"{MAX_PATH:,}"
    assert said["fault rules of an account"] == f"{MAX_RULES:,}"
    path = load_control().document["components"]["schemas"]["FaultMatch"]["properties"]["path"]
    assert path["maxLength"] == MAX_LENGTH
    assert f"at most {MAX_LENGTH} characters" in path["x-expect"]


@pytest.mark.parametrize("text", BACKTRACKING)
@pytest.mark.parametrize("path", LONG, ids=range(len(LONG)))
def test_what_backtracks_elsewhere_is_matched_or_refused(text: str, path: str) -> None:
    read_rule(rule(text), ())
    assert not PathPattern.compiled(text).fits(path)


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_compiled_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(FaultError) as caught:
        read_rule(rule(text), ())
    assert [problem.path for problem in caught.value.problems] == ["/match/path"]
    assert "is not a regular expression that RE2 takes: " in str(caught.value)


@pytest.mark.parametrize("text", ["a" * (MAX_LENGTH + 1), "(" * 100_000, ".*" * 100_000])
def test_a_longer_one_is_refused_before_it_is_compiled(text: str) -> None:
    with pytest.raises(FaultError, match=f"at most {MAX_LENGTH} characters"):
        read_rule(rule(text), ())
    read_rule(rule("a" * MAX_LENGTH), ())


def test_a_longer_path_fits_none() -> None:
    assert PathPattern.compiled(".*").fits("/" * MAX_PATH)
    assert not PathPattern.compiled(".*").fits("/" * (MAX_PATH + 1))


PIECES = st.sampled_from(
    ["a", "b", "/", ".", "x1", "[a-c]", "[^/]+", "(a|b)", "a*", "b?", "(?:ab)+", r"\d", "a{2}", ".*"]
)


@given(
    pieces=st.lists(PIECES, max_size=6),
    path=st.text(alphabet="ab/x1é\n", max_size=12),
)
def test_what_both_take_means_what_it_did(pieces: list[str], path: str) -> None:
    text = "".join(pieces)
    assert PathPattern.compiled(text).fits(path) == (re.fullmatch(text, path) is not None)


@given(
    text=st.text(max_size=60) | st.text(alphabet="()[]{}*+?|\\^$.,:=!<>Pab19-", max_size=60),
    path=st.text(max_size=40),
)
def test_any_text_is_compiled_or_refused(text: str, path: str) -> None:
    try:
        pattern = PathPattern.compiled(text)
    except PathPatternError as error:
        assert str(error)  # noqa: PT017 - either will do
        return
    assert pattern.fits(path) in (True, False)


def test_a_stored_rule_that_is_no_longer_taken_is_named_with_its_file(tmp_path: Path) -> None:
    stored = tmp_path / "faults.yaml"
    stored.write_text("- {fault: {kind: status}}\n- {match: {path: '(?=/jobs).*'}, fault: {kind: status}}\n")
    with pytest.raises(
        FaultError, match=r"faults\.yaml: rule 2: .*/match/path is not a regular .* RE2 takes: invalid perl"
    ):
        Faults(()).add_file("5001", stored)


def test_nothing_is_said_on_the_terminal_of_the_server() -> None:
    code = (
        "from conductor_mock.faults.paths import *\n"
        "try: PathPattern.compiled('(?=a)')\n"
        "except PathPatternError: print('refused')\n"
        "PathPattern.compiled('([^/]{300}){3}').fits('/' * 8000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")
