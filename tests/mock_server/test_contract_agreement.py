"""The service and its contract: the same operations under the same names, and the answers that were agreed on."""

from __future__ import annotations

import re

import pytest

from conductor_contracts.contract import Contract, load_control
from conductor_contracts.contract import load as load_contract
from conductor_contracts.interactions import load_interactions
from conductor_contracts.verify import verify
from conductor_mock.api.signed import S3_PREFIX
from conductor_mock.auth.signing import OUTPUTS_PREFIX
from conductor_mock.inprocess import in_process
from support.server import Fake

OURS = ("consent", "control", "metrics", "pages", "static")
"""Blueprints beside the protocol."""

OTHER_SPELLINGS = (S3_PREFIX, OUTPUTS_PREFIX)
"""Prefixes of paths that mean an operation that has another path, too."""


def routes_of(fake: Fake, *, control: bool) -> dict[str, tuple[str, str]]:
    """Method and path template of each operation that the app serves (the service or the control API), by endpoint."""
    served = {}
    for rule in fake.app.url_map.iter_rules():
        of = rule.endpoint.partition(".")[0]
        if (of == "control" if control else of not in OURS) and not rule.rule.startswith(OTHER_SPELLINGS):
            (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            assert rule.endpoint not in served, "two paths"
            served[rule.endpoint] = (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
    return served


def agreed(contract: Contract) -> dict[str, tuple[str, str]]:
    return {one.id: (one.method, one.path) for one in contract.operations.values()}


def test_the_app_serves_the_operations_of_the_contract_under_their_names(fake: Fake) -> None:
    assert routes_of(fake, control=False) == agreed(load_contract())


def test_the_app_serves_the_calls_of_the_control_contract_under_their_names(fake: Fake) -> None:
    assert routes_of(fake, control=True) == agreed(load_control())


def test_modules_blueprints_and_functions_are_named_as_the_operations(fake: Fake) -> None:
    """`jobs.list` is `list_` (Python has a `list`) of the blueprint `jobs` in `api/jobs.py`."""
    for operation in load_contract().operations:
        resource, _, verb = operation.partition(".")
        view = fake.app.view_functions[operation]
        assert (view.__module__, view.__name__.rstrip("_")) == (f"conductor_mock.api.{resource}", verb)
        assert fake.app.blueprints[resource].import_name == view.__module__


def test_the_other_spellings_of_a_path_mean_the_same_operation(fake: Fake) -> None:
    adapter = fake.app.url_map.bind("127.0.0.1")
    for operation in load_contract().operations.values():
        for path in operation.also_paths:
            endpoint, _ = adapter.match(re.sub(r"{\w+}", "1", path), method=operation.method)
            assert endpoint == operation.id


def test_the_operations_that_want_a_token_are_those_that_the_contract_says(fake: Fake) -> None:
    for operation in load_contract().operations.values():
        path = re.sub(r"{\w+}", "1", operation.path)
        status = fake.anonymous().request(operation.method, path).status
        assert (status == 401) == (operation.authentication == "required"), operation.id


def test_the_contracts_are_served_as_they_are(fake: Fake) -> None:
    caller = fake.caller()

    assert caller.get("/_mock/openapi.json").json() == load_contract().document
    assert caller.get("/_mock/control.json").json() == load_control().document
    rows = caller.get("/_mock/fidelity").json()["fidelity"]
    assert {row["operation"] for row in rows} == set(load_contract().operations)
    assert {row["grade"] for row in rows} == set(load_contract().grades)


def test_there_are_interactions_for_every_operation() -> None:
    assert {one.operation for one in load_interactions()} >= set(load_contract().operations)


@pytest.mark.slow
def test_every_interaction_holds_in_process_alone_in_an_account() -> None:
    """None needs what another has left behind."""
    failed = {}
    with in_process() as mock:
        for number, interaction in enumerate(load_interactions()):
            key = {"client_id": f"account {number}", "private_key": "a key"}
            report = verify(mock.url, key, interactions=[interaction], own_account=False)
            if not report.ok:
                failed[interaction.id] = str(report)

    assert failed == {}
