"""The interaction files: well formed, complete, and true to the contract."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from conductor_contracts.contract import load
from conductor_contracts.interactions import (
    CONTROL,
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
        for step in (*one.steps, *one.cleanup):
            if step.operation == CONTROL:
                assert (step.request.path or "").startswith("/_mock/"), one.id
            elif step.operation:
                assert set(step.expect.status) <= set(operations[step.operation].statuses), one.id


def test_every_operation_has_three_interactions_or_more() -> None:
    counts = Counter(one.operation for one in load_interactions())
    assert {name: count for name, count in counts.items() if count < 3 and name} == {}


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
            named = [step.operation for step in one.steps if step.operation not in (None, CONTROL)]
            known = {trap for name in named for trap in operations[str(name)].traps}
            assert set(one.traps) <= known, one.id


def test_bodies_that_are_expected_to_be_taken_keep_the_contract_and_others_do_not() -> None:
    """Blanks are filled with plausible values; what is expected to be refused as 400 breaks the contract,
    but for parts: whether they make the file is not for a schema to say.
    """
    from conductor_contracts.templates import fill

    operations = load().operations
    tried = 0
    for one in load_interactions():
        captured = {name for step in one.steps for name in step.capture}
        values: dict[str, Any] = dict.fromkeys(captured, "00007") | {"unique": "0" * 16, "account": "7"}
        for name in one.files:
            values |= {f"{name}.md5": "kAFQmDzST7DWlj99KOF/cg==", f"{name}.hex": "0" * 32, f"{name}.size": 3}
        for step in one.steps:
            operation = operations.get(step.operation or "")
            if operation and operation.request_schema and step.request.body is not None:
                problems = operation.check_request(fill(step.request.body, values))
                refused = step.expect.status == (400,)
                beyond_schemas = operation.id == "files.complete_multipart" and one.requires == CONTROL
                # A parameter of the query may be what is wrong.
                if not (refused and (beyond_schemas or step.request.query)):
                    assert bool(problems) == refused, (one.id, problems)
                tried += 1
    assert tried > 200


def test_forms_that_are_expected_to_be_taken_keep_the_contract() -> None:
    from conductor_contracts.templates import fill

    operations = load().operations
    tried = 0
    for one in load_interactions():
        values: dict[str, Any] = {"unique": "0" * 16, "account": "7", "size": 7}
        for step in one.steps:
            operation = operations.get(step.operation or "")
            if operation and step.request.form is not None:
                assert operation.form_schema, one.id
                form = {name: str(value) for name, value in fill(dict(step.request.form), values).items()}
                assert bool(operation.check_form(form)) == (step.expect.status == (400,)), one.id
                tried += 1
    assert tried >= 15


def test_what_requires_a_control_api_uses_it_or_says_what_is_given() -> None:
    for one in load_interactions():
        uses = CONTROL in {step.operation for step in (*one.steps, *one.cleanup)}
        assert (one.requires == CONTROL) == (uses or (one.requires == CONTROL and one.given != "")), one.id


def test_what_changes_the_options_of_an_account_puts_them_back() -> None:
    for one in load_interactions():
        changes = [step for step in one.steps if step.request.path == "/_mock/options" and step.request.body]
        if changes:
            (last,) = one.cleanup
            assert last.request.path == "/_mock/options", one.id
            assert {name for step in changes for name in step.request.body} <= set(last.request.body), one.id


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
        (
            "interactions:",
            "interaction:",
            "here.yaml: /interaction is not known; did you mean 'interactions'.; /interactions is required",
        ),
        ("    safe: true\n", "", "here.yaml: /interactions/0/safe is required"),
        (
            "request:",
            "requests:",
            "here.yaml: /interactions/0/steps/0/requests is not known; did you mean 'request'",
        ),
        (
            "status: 401",
            "statsu: 401",
            "/expect/statsu is not known; did you mean 'status'.; .*/expect/status is required",
        ),
        ("token: none", "tokens: none", "/request/tokens is not known; did you mean 'token'"),
        (
            "token: none",
            "token: nonne",
            '/request/token must be "valid", "none", "forged" or "malformed", got "nonne"',
        ),
        ("token: none", "body: {}, text: a", "/request has more than one body; it is one of body, form"),
        ("{token: none}", "7", "/request must be an object, got 7"),
        ("operation:", "operation: [", "here.yaml: "),
        (
            "safe: true",
            "safe: true\n    requires: luck",
            '/requires must be "control", "keys" or "lenience", got "luck"',
        ),
        ("request:", "operation: control\n        request:", "does not say that it requires control"),
        (
            "steps:",
            "cleanup: [{expect: {stats: 1}}]\n    steps:",
            "/cleanup/0/expect/status is required",
        ),
        ("token: none", "form: {}, body: {}", "/request has more than one body"),
    ],
)
def test_a_misspelt_file_is_an_error_that_says_where(old: str, new: str, message: str) -> None:
    with pytest.raises(InteractionError, match=message):
        parsed(GOOD.replace(old, new))
