"""Environments made of lists: the table of wire reference 5.2, and laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.exceptions import EnvironmentMergeError
from conductor.lib.package_environment import PackageEnvironment

Entry = dict[str, Any]


def entry(policy: str, value: str | int, name: str = "V") -> Entry:
    return {"name": name, "value": value, "merge_policy": policy}


def package(*entries: Entry, platform: str = "linux") -> dict[str, Any]:
    return {"product": "p", "platform": platform, "environment": list(entries)}


def merge(*pairs: tuple[str, str | int]) -> str | int:
    return PackageEnvironment([entry(policy, value) for policy, value in pairs])["V"]


@pytest.mark.parametrize(
    ("pairs", "joined"),
    [
        ([("append", "/a")], "/a"),
        ([("append", "/a"), ("append", "/b")], "/a:/b"),
        ([("append", "/a"), ("prepend", "/b"), ("prepend", "/c")], "/c:/b:/a"),
        ([("prepend", "/a"), ("append", "/b")], "/a:/b"),
        ([("exclusive", "x")], "x"),
        ([("exclusive", "x"), ("exclusive", "y")], "y"),
        ([("exclusive", ""), ("append", "/a")], "/a"),
        ([("exclusive", ""), ("prepend", "/a")], "/a"),
        ([("append", ""), ("append", "x")], ":x"),
        ([("exclusive", 1)], 1),
        ([("exclusive", "x"), ("exclusive", 1)], 1),
        ([("append", 1)], "1"),
        ([("append", "x"), ("prepend", 0)], "0:x"),
    ],
)
def test_variables_are_joined_by_their_policies(
    pairs: list[tuple[str, str | int]], joined: str | int
) -> None:
    assert (merge(*pairs), type(merge(*pairs))) == (joined, type(joined))


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("append", "/a"), ("exclusive", "x")], "V is a list (/a) and cannot be set to 'x' exclusively"),
        ([("append", ""), ("exclusive", "x")], "V is a list"),
        ([("exclusive", "x"), ("append", "/a")], "V is set exclusively to 'x', so '/a' cannot be added"),
        ([("exclusive", "x"), ("prepend", "/a")], "V is set exclusively to 'x'"),
        ([("replace", "x")], "unexpected merge policy 'replace' of V; accepted: append, prepend, exclusive"),
    ],
)
def test_what_contradicts_itself_is_refused(pairs: list[tuple[str, str]], reason: str) -> None:
    with pytest.raises(EnvironmentMergeError) as caught:
        merge(*pairs)
    assert reason in str(caught.value)


def test_windows_joins_with_semicolons() -> None:
    environment = PackageEnvironment(
        package(entry("append", "C:/a"), entry("append", "D:/b"), platform="windows"), None, []
    )
    assert (environment.platform, dict(environment)) == ("windows", {"V": "C:/a;D:/b"})


def test_the_first_source_settles_the_platform() -> None:
    environment = PackageEnvironment(package(entry("append", "a"), platform="windows"))
    environment.extend([entry("append", "b")])
    environment.extend([entry("append", "c")], platform="windows")
    refused = "for linux cannot be added to those for windows"
    with pytest.raises(EnvironmentMergeError, match=refused):
        environment.extend([entry("append", "d")], platform="linux")
    with pytest.raises(EnvironmentMergeError, match=refused):
        environment.extend(package(entry("append", "d")))
    assert environment["V"] == "a;b;c"


def test_a_list_without_a_platform_is_for_linux() -> None:
    environment = PackageEnvironment([entry("append", "a")])
    with pytest.raises(EnvironmentMergeError, match="for windows cannot be added to those for linux"):
        environment.extend(package(platform="windows"))


def test_a_platform_that_there_is_not_is_named() -> None:
    with pytest.raises(EnvironmentMergeError, match="no platform 'amiga'; accepted: linux, windows"):
        PackageEnvironment(package(platform="amiga"))


@pytest.mark.parametrize("nothing", [None, [], {}, ()])
def test_nothing_adds_nothing(nothing: Any) -> None:
    environment = PackageEnvironment(nothing)
    environment.extend(package(platform="windows"))
    assert (environment.platform, dict(environment)) == ("windows", {})


@pytest.mark.parametrize(
    "source",
    [
        {"product": "p"},
        {"environment": None, "product": "p"},
        [{"name": "V"}],
        ["V"],
        [entry("append", True)],
    ],
)
def test_what_holds_no_variables_is_refused(source: Any) -> None:
    with pytest.raises(EnvironmentMergeError, match=r"p has no list of variables|a variable is"):
        PackageEnvironment(source)


entries = st.lists(
    st.builds(
        entry,
        st.sampled_from(["append", "prepend", "exclusive"]),
        st.sampled_from(["", "x", "y"]),
        st.sampled_from(["A", "B"]),
    ),
    max_size=5,
)


@given(entries, entries)
def test_a_refused_source_leaves_the_environment_as_it_was(first: list[Entry], second: list[Entry]) -> None:
    environment = PackageEnvironment()
    for source in (first, second):
        before = dict(environment)
        try:
            environment.extend(source)
        except EnvironmentMergeError:
            assert dict(environment) == before


@given(entries, entries)
def test_one_list_or_two_make_the_same_environment(first: list[Entry], second: list[Entry]) -> None:
    def made(*sources: list[Entry]) -> dict[str, str | int] | str:
        try:
            return dict(PackageEnvironment(*sources))
        except EnvironmentMergeError as error:
            return str(error)

    assert made(first, second) == made(first + second)
