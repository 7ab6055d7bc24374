"""The interaction files: well formed, complete, and true to the contract."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from conductor_contracts.contract import load
from conductor_contracts.interactions import (
    Interaction,
    InteractionError,
    load_interactions,
    parse_interactions,
)


def test_every_operation_has_a_file_of_its_own() -> None:
    folder = files("conductor_contracts").joinpath("interactions")
    names = {entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    assert names == {f"{operation}.yaml" for operation in load().operations} | {"routes.yaml"}
    assert {one.operation for one in load_interactions()} == {*load().operations, None}


def test_ids_are_unique() -> None:
    ids = [one.id for one in load_interactions()]
    assert len(ids) == len(set(ids))


def test_every_step_expects_documented_statuses_of_a_known_operation() -> None:
    operations = load().operations
    for one in load_interactions():
        for step in one.steps:
            if step.operation:
                assert set(step.expect.status) <= set(operations[step.operation].statuses), one.id


def test_every_operation_is_tried_well_and_badly() -> None:
    for operation in load().operations.values():
        seen = {
            status
            for one in load_interactions()
            for step in one.steps
            if step.operation == operation.id
            for status in step.expect.status
        }
        assert operation.success_status in seen, operation.id
        assert 405 in seen, operation.id
        if operation.authentication != "never":
            assert 401 in seen, operation.id
        if operation.request_schema or operation.id == "objects.put":
            assert 400 in seen, operation.id


def test_every_interaction_has_a_source_and_asks_its_own_operation() -> None:
    for one in load_interactions():
        assert one.source.startswith("wire reference "), one.id
        assert one.operation in [step.operation for step in one.steps], one.id
        assert isinstance(one.safe, bool), one.id
        assert one.name[0].islower(), one.id


def test_interactions_try_only_traps_that_their_operations_name() -> None:
    operations = load().operations
    for one in load_interactions():
        if one.operation:
            known = {
                trap for step in one.steps if step.operation for trap in operations[step.operation].traps
            }
            assert set(one.traps) <= known, one.id


def test_bodies_that_are_expected_to_be_taken_keep_the_contract_and_others_do_not() -> None:
    """Blanks are filled with plausible values; what is expected to be refused as 400 breaks the contract."""
    from conductor_contracts.templates import fill

    operations = load().operations
    tried = 0
    for one in load_interactions():
        values: dict[str, Any] = {"unique": "0" * 16, "account": "7", "jid": "00007"}
        for name in one.files:
            values |= {f"{name}.md5": "kAFQmDzST7DWlj99KOF/cg==", f"{name}.hex": "0" * 32, f"{name}.size": 3}
        for step in one.steps:
            if step.operation in ("jobs.create", "files.get_upload_urls") and step.request.body is not None:
                problems = operations[step.operation].check_request(fill(step.request.body, values))
                assert bool(problems) == (step.expect.status == (400,)), (one.id, problems)
                tried += 1
    assert tried > 40


GOOD = """
operation: projects.list
interactions:
  - name: a
    source: wire reference 2.2
    safe: true
    steps:
      - request: {token: none}
        expect: {status: 401}
"""


def parsed(text: str) -> list[Interaction]:
    return parse_interactions(text, "here.yaml")


def test_a_well_formed_file_is_read() -> None:
    (one,) = parsed(GOOD)
    assert one.id == "projects.list: a"
    assert one.steps[0].operation == "projects.list"
    assert one.steps[0].expect.status == (401,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("interactions:", "interaction:", "here.yaml: interactions is missing, interaction is not known"),
        ("    safe: true\n", "", r"here.yaml, interaction 1: safe is missing"),
        ("request:", "requests:", r"here.yaml, interaction 1 \(a\), step 1: requests is not known"),
        ("status: 401", "statsu: 401", "status is missing, statsu is not known"),
        ("token: none", "tokens: none", r"request: tokens is not known"),
        ("token: none", "token: nonne", "token is one of valid, none, forged, malformed, got 'nonne'"),
        ("token: none", "body: {}, text: a", "one body, got body and text"),
        ("{token: none}", "7", "must be an object, got 7"),
        ("operation:", "operation: [", "here.yaml: "),
    ],
)
def test_a_misspelt_file_is_an_error_that_says_where(old: str, new: str, message: str) -> None:
    with pytest.raises(InteractionError, match=message):
        parsed(GOOD.replace(old, new))
