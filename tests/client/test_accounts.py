"""The account in use, its environment, and what of it goes into a catalogue file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import responses

from conductor.lib.accounts import Account, Variable, get_account, list_account_environment
from conductor.lib.api_client import ApiClient
from conductor.lib.catalog_export import export_catalog
from conductor.lib.exceptions import LoginError, UnexpectedAnswerError
from support.client_world import URL, FixedTokens, jwt, make_client

ENV_VARS = f"{URL}/api/v1/integrations/env-vars-configs"
LICENCE = {"name": "LICENCE", "value": "host:1", "merge_policy": "exclusive"}


def of_account(account: Any, tmp_path: Path) -> ApiClient:
    return make_client(tmp_path, tokens=FixedTokens([jwt(account=account)]))


def test_the_account_is_that_of_the_token(mock: responses.RequestsMock, tmp_path: Path) -> None:
    mock.add("GET", f"{URL}/api/v1/accounts/5001", json={"data": {"name": "acme"}})
    with of_account(5001, tmp_path) as client:
        assert get_account(client=client) == Account("5001", "acme")


def test_a_token_without_an_account_is_a_login_error(tmp_path: Path) -> None:
    with of_account(None, tmp_path) as client, pytest.raises(LoginError, match="names no account"):
        get_account(client=client)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([{"account_id": "1", "env": []}, {"account_id": "5001", "env": [LICENCE]}], 1),
        ([{"account_id": 5001, "env": [LICENCE]}], 1),
        ([{"account_id": "1", "env": [LICENCE]}], 0),
        ([{"account_id": "5001", "env": None}], 0),
        ([], 0),
    ],
)
def test_the_environment_is_that_of_the_tokens_account(
    mock: responses.RequestsMock, tmp_path: Path, records: list[dict[str, Any]], found: int
) -> None:
    mock.add("GET", ENV_VARS, json={"data": records})
    with of_account("5001", tmp_path) as client:
        variables = list_account_environment(client=client)
    assert variables == [Variable("LICENCE", "host:1", "exclusive")] * found
    assert [variable.as_record() for variable in variables] == [LICENCE] * found


def test_an_environment_that_is_no_list_breaks_the_protocol(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    mock.add("GET", ENV_VARS, json={"data": [{"account_id": "5001", "env": {"A": "b"}}]})
    with (
        of_account("5001", tmp_path) as client,
        pytest.raises(UnexpectedAnswerError, match="env must be a list"),
    ):
        list_account_environment(client=client)


def test_a_catalog_holds_everything_as_the_service_has_it(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    projects = [{"name": "film", "status": "active"}, {"name": "old", "status": "inactive"}]
    mock.add("GET", f"{URL}/api/v1/ee/packages", json={"data": [{"package_id": "a", "new": 1}]})
    mock.add("GET", f"{URL}/api/v1/projects/", json={"data": projects})
    mock.add("GET", f"{URL}/api/v1/instance-types", json={"data": [{"name": "m"}]})
    mock.add("GET", ENV_VARS, json={"data": [{"account_id": "5001", "env": [LICENCE]}]})
    with of_account("5001", tmp_path) as client:
        catalog = export_catalog(client=client)
    assert list(catalog) == ["packages", "projects", "instance_types", "env_vars_configs"]
    assert catalog["packages"] == [{"package_id": "a", "new": 1}]
    assert (catalog["projects"], catalog["env_vars_configs"]) == (projects, [LICENCE])
    assert "5001" not in str(catalog)
