"""The service and its contract: the same operations under the same names, and the answers that were agreed on."""

from __future__ import annotations

import re

from conductor_contracts.contract import load as load_contract
from conductor_contracts.interactions import load_interactions
from conductor_contracts.verify import verify
from conductor_mock.api.signed import S3_PREFIX
from conductor_mock.inprocess import in_process
from support.server import Fake

OURS = ("control", "pages", "static")
"""Blueprints beside the protocol."""


def operations_of(fake: Fake) -> dict[str, tuple[str, str]]:
    """Method and path template of each operation that the app serves, by its endpoint."""
    served = {}
    for rule in fake.app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] not in OURS and not rule.rule.startswith(S3_PREFIX):
            (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            assert rule.endpoint not in served, "two paths"
            served[rule.endpoint] = (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
    return served


def test_the_app_serves_the_operations_of_the_contract_under_their_names(fake: Fake) -> None:
    agreed = {one.id: (one.method, one.path) for one in load_contract().operations.values()}

    assert operations_of(fake) == agreed


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


def test_the_contract_is_served_as_it_is(fake: Fake) -> None:
    caller = fake.caller()

    assert caller.get("/_mock/openapi.json").json() == load_contract().document
    rows = caller.get("/_mock/fidelity").json()["fidelity"]
    assert {row["operation"] for row in rows} == set(load_contract().operations)
    assert {row["grade"] for row in rows} <= {"ran", "client", "docs", "inferred"}


def test_there_are_interactions_for_every_operation() -> None:
    assert {one.operation for one in load_interactions()} >= set(load_contract().operations)


def test_every_interaction_holds_in_process_alone_in_an_account() -> None:
    """None needs what another has left behind."""
    failed = {}
    with in_process() as mock:
        for number, interaction in enumerate(load_interactions()):
            key = {"client_id": f"account {number}", "private_key": "a key"}
            report = verify(mock.url, key, interactions=[interaction])
            if not report.ok:
                failed[interaction.id] = str(report)

    assert failed == {}
