"""Merging environments: the table of wire reference 5.1, and its laws."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.exceptions import EnvironmentMergeError
from conductor.lib.package_utils import merge_package_environments

Package = dict[str, Any]


def package(name: str, *entries: tuple[str, str | int, str]) -> Package:
    environment = [
        {"name": variable, "value": value, "merge_policy": policy} for variable, value, policy in entries
    ]
    return {"package_id": name, "relative_path": name, "environment": environment}


def merge(*entries: tuple[str, str | int], base: dict[str, str | int] | None = None) -> str | int:
    """Merge one variable through packages with (policy, value)."""
    packages = [package(f"p{n}", ("V", value, policy)) for n, (policy, value) in enumerate(entries)]
    return merge_package_environments(packages, base)["V"]


def test_append_to_nothing_is_the_value_alone() -> None:
    assert merge(("append", "/a")) == "/a"
    assert merge(("append", "/a"), base={"V": ""}) == "/a"


def test_append_joins_with_colons_whatever_was_there() -> None:
    assert merge(("append", "/a"), ("append", "/b"), base={"V": "/base"}) == "/base:/a:/b"
    assert merge(("exclusive", "/x"), ("append", "/b")) == "/x:/b"


def test_append_of_an_empty_value_leaves_a_separator_at_the_end() -> None:
    assert merge(("append", "/a"), ("append", "")) == "/a:"


def test_exclusive_sets_and_agrees_with_itself() -> None:
    assert merge(("exclusive", "x"), ("exclusive", "x")) == "x"
    assert merge(("exclusive", "x"), base={"V": "x"}) == "x"


@pytest.mark.parametrize("there", ["other", ""])
def test_exclusive_over_another_value_of_the_base_is_an_error(there: str) -> None:
    with pytest.raises(EnvironmentMergeError, match="base_env"):
        merge(("exclusive", "x"), base={"V": there})


def test_a_conflict_names_the_variable_both_values_and_the_packages() -> None:
    packages = [
        package("vendor/one/1", ("LICENSE", "lic:1", "append")),
        package("vendor/two/2", ("LICENSE", "lic:2", "exclusive")),
    ]
    with pytest.raises(EnvironmentMergeError) as caught:
        merge_package_environments(packages)
    for part in ("LICENSE", "'lic:1'", "'lic:2'", "vendor/one/1", "vendor/two/2"):
        assert part in str(caught.value)


@pytest.mark.parametrize("policy", ["prepend", "", None, "APPEND"])
def test_another_policy_is_an_error_that_names_it(policy: str) -> None:
    with pytest.raises(EnvironmentMergeError, match=f"unexpected merge policy {policy!r}"):
        merge((policy, "x"))


def test_a_whole_number_stays_one_until_something_is_joined_to_it() -> None:
    assert repr(merge(("exclusive", 1))) == "1"
    assert repr(merge(base={"V": 1})) == "1"
    assert repr(merge(("append", 1))) == "'1'"
    assert merge(("append", "a"), ("append", 0), ("append", "b")) == "a:0:b"
    assert merge(("append", "b"), base={"V": 0}) == "0:b"


def test_a_whole_number_agrees_with_its_decimal_text_and_the_first_stays() -> None:
    assert repr(merge(("exclusive", 1), ("exclusive", "1"))) == "1"
    assert repr(merge(("exclusive", 7), base={"V": "7"})) == "'7'"
    with pytest.raises(EnvironmentMergeError, match="cannot be both 1 "):
        merge(("exclusive", 1), ("exclusive", "01"))


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "V"},
        None,
        *({"name": "V", "value": odd, "merge_policy": "append"} for odd in (True, 1.5, None, ["a"])),
    ],
)
def test_a_malformed_variable_is_an_error_that_names_the_package(entry: object) -> None:
    with pytest.raises(EnvironmentMergeError, match="vendor/odd"):
        merge_package_environments([{"relative_path": "vendor/odd", "environment": [entry]}])


def test_a_package_without_an_environment_adds_nothing() -> None:
    odd: list[Package] = [{"package_id": "a"}, {"package_id": "b", "environment": None}]
    assert merge_package_environments(odd, {"A": "1"}) == {"A": "1"}


names = st.sampled_from(["PATH", "LICENSE", "PYTHONPATH", "HOME"])
values = st.sampled_from(["", "/a", "/b", "x:1"])
entries = st.tuples(names, values, st.sampled_from(["append", "exclusive"]))
packages = st.lists(
    st.builds(
        lambda name, content: package(name, *content), st.text(max_size=5), st.lists(entries, max_size=4)
    ),
    max_size=5,
)
bases = st.dictionaries(names, values)
appending = st.lists(st.tuples(names, st.sampled_from(["/a", "/b", "/c"])), max_size=12)


def attempt(content: list[Package], base: Mapping[str, str | int]) -> dict[str, str | int] | None:
    try:
        return merge_package_environments(content, base)
    except EnvironmentMergeError:
        return None


@given(packages, bases)
def test_what_was_given_is_left_as_it_was(content: list[Package], base: dict[str, str]) -> None:
    before = copy.deepcopy((content, base))
    result = attempt(content, base)
    assert (content, base) == before
    assert result is not base


@given(bases)
def test_merging_nothing_is_the_identity(base: dict[str, str]) -> None:
    assert merge_package_environments([], base) == base
    assert merge_package_environments([{"package_id": "empty"}], base) == base


@given(packages, packages, bases)
def test_merging_in_two_steps_is_merging_the_joined_list(
    first: list[Package], second: list[Package], base: dict[str, str]
) -> None:
    halfway = attempt(first, base)
    assert attempt(first + second, base) == (None if halfway is None else attempt(second, halfway))


@given(appending, bases)
def test_appended_values_come_in_the_order_of_the_packages(
    content: list[tuple[str, str]], base: dict[str, str]
) -> None:
    merged = merge_package_environments(
        [package(f"p{n}", (name, value, "append")) for n, (name, value) in enumerate(content)], base
    )
    for name in merged:
        own = [value for variable, value in content if variable == name]
        assert merged[name] == ":".join([base[name], *own] if base.get(name) else own)


@given(packages, bases)
def test_exclusive_values_agree_or_the_error_names_the_variable(
    content: list[Package], base: dict[str, str]
) -> None:
    try:
        merged = merge_package_environments(content, base)
    except EnvironmentMergeError as error:
        conflicting = str(error).split(" cannot be both ")[0]
        exclusive = [
            entry["name"]
            for item in content
            for entry in item["environment"]
            if entry["merge_policy"] == "exclusive"
        ]
        assert conflicting in exclusive
        return
    for item in content:
        for entry in item["environment"]:
            value = str(merged[entry["name"]])
            # Whatever was exclusive was the whole value at that moment; the rest was appended.
            if entry["merge_policy"] == "exclusive":
                assert value.startswith(entry["value"])
            else:
                assert entry["value"] in value
