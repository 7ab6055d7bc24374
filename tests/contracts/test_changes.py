"""No operation changes without an entry in the contract's changelog that says what and on what evidence."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.changes import ALL, load_changes, parse_changes, unrecorded
from conductor_contracts.cli import main
from conductor_contracts.contract import load
from conductor_contracts.digests import digests
from conductor_contracts.evidence import tags_of

DOCUMENT = load().document
NOW = digests(DOCUMENT)
VERSIONS = load_changes()


def test_every_change_of_an_operation_is_recorded() -> None:
    assert list(unrecorded(VERSIONS, DOCUMENT["info"]["version"], NOW)) == []


def test_every_change_names_operations_and_evidence_that_there_are() -> None:
    known = {name for version in VERSIONS for name in version.digests} | {ALL}
    tags = {tag.name: tag.grade for tag in load().tags}
    for version in VERSIONS:
        for change in version.changes:
            assert set(change.operations) <= known, change
            assert change.evidence in load().grades, change
            assert change.source.startswith("wire reference "), change
            assert change.evidence in {tags[tag] for tag in tags_of(change.source)}, change


def test_versions_stand_in_their_order_and_only_the_newest_may_be_without_a_date() -> None:
    numbers = [tuple(map(int, version.version.split("."))) for version in VERSIONS]
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(version.date for version in VERSIONS[1:])


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a field below a node of the document."""
    if isinstance(node, dict):
        for field in node.get("properties", {}).values():
            if isinstance(field, dict):
                yield field
        for below in node.values():
            yield from schemas(below)
    elif isinstance(node, list):
        for below in node:
            yield from schemas(below)


FIELDS = len(list(schemas(DOCUMENT["components"]["schemas"])))


@given(st.integers(0, FIELDS - 1), st.sampled_from(["enum", "maxLength", "type"]))
def test_another_schema_of_any_field_is_another_digest(at: int, keyword: str) -> None:
    changed = copy.deepcopy(DOCUMENT)
    list(schemas(changed["components"]["schemas"]))[at][keyword] = ["something else"]
    found = digests(changed)
    assert found != NOW
    assert list(unrecorded(VERSIONS, DOCUMENT["info"]["version"], found))


@given(st.integers(0, FIELDS - 1))
def test_other_words_are_no_other_operation(at: int) -> None:
    changed = copy.deepcopy(DOCUMENT)
    field = list(schemas(changed["components"]["schemas"]))[at]
    field.update({"description": "other words", "x-evidence": "docs", "x-differs": "so and so"})
    assert digests(changed) == NOW


def test_a_field_with_the_name_of_a_keyword_counts() -> None:
    """A `description` among the properties is a field of an answer, and no prose."""
    changed = copy.deepcopy(DOCUMENT)
    del changed["components"]["schemas"]["Package"]["properties"]["description"]
    assert digests(changed)["packages.list"] != NOW["packages.list"]


def test_what_is_missing_or_not_true_is_said() -> None:
    def version(number: str, digests: dict[str, str], *operations: Any) -> dict[str, Any]:
        changes = [
            {
                "kind": "changed",
                "operations": named,
                "what": "w",
                "evidence": "ran",
                "source": "wire reference 2",
            }
            for named in operations
        ]
        return {"version": number, "date": None, "changes": changes, "digests": digests}

    old = version("0.1.0", {"a": "0" * 12, "b": "0" * 12, "c": "0" * 12}, "all")
    new = version("0.2.0", {"a": "1" * 12, "b": "0" * 12}, ["b"])
    said = list(unrecorded(parse_changes({"versions": [new, old]}), "0.3.0", {"a": "1" * 12, "b": "2" * 12}))
    assert said == [
        "openapi.yaml has version 0.3.0, the newest here is 0.2.0",
        "b is another one than 0.2.0 says: name it in an entry of a version that is not released, with digest "
        + "2" * 12,
        "0.2.0 names b, which is as it was before",
        "0.2.0 does not say what changed of a",
        "0.2.0 does not say what changed of c",
    ]
    with pytest.raises(ValueError, match="/versions/0/date is required"):
        parse_changes({"versions": [{name: value for name, value in old.items() if name != "date"}]})


def test_the_command_writes_the_versions_and_the_digests_in_their_form() -> None:
    written = CliRunner().invoke(main, ["changes"])
    assert written.exit_code == 0
    assert written.output.splitlines()[0].startswith(f"{VERSIONS[0].version} (")
    assert all(change.what in written.output for version in VERSIONS for change in version.changes)
    now = CliRunner().invoke(main, ["changes", "--digests"]).output
    assert yaml.safe_load(now) == NOW
    assert now in files("conductor_contracts").joinpath("changes.yaml").read_text(encoding="utf-8")
