"""The service and its contract: the same operations under the same names, and the answers that were agreed on."""

from __future__ import annotations

import json
import re

import pytest

from conductor_contracts.contract import load as load_contract
from conductor_contracts.interactions import Interaction, load_interactions
from conductor_contracts.verify import verify
from conductor_mock.api.signed import S3_PREFIX
from conductor_mock.app import create_app
from conductor_mock.inprocess import in_process
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
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


def test_the_contract_is_served_as_it_is(fake: Fake) -> None:
    caller = fake.caller()

    assert caller.get("/_mock/openapi.json").json() == load_contract().document
    rows = caller.get("/_mock/fidelity").json()["fidelity"]
    assert {row["operation"] for row in rows} == set(load_contract().operations)
    assert {row["grade"] for row in rows} <= {"ran", "client", "docs", "inferred"}


def test_there_are_interactions_for_every_operation() -> None:
    assert {one.operation for one in load_interactions()} >= set(load_contract().operations)


@pytest.mark.parametrize("interaction", load_interactions(), ids=lambda interaction: interaction.id)
def test_an_interaction_holds_in_process(interaction: Interaction) -> None:
    with in_process() as mock:
        key = _key(mock.environment())
        report = verify(mock.url, key, interactions=[interaction])

    assert report.ok, str(report)


def test_all_interactions_hold_over_a_socket_in_one_account_twice() -> None:
    with Server(create_app(Settings(ephemeral=True))) as server:
        key = _key(server.environment())
        for _ in range(2):
            report = verify(server.url, key)
            assert report.ok, str(report)


def _key(environment: dict[str, str]) -> dict[str, str]:
    key: dict[str, str] = json.loads(environment["CONDUCTOR_API_KEY"])
    return key
