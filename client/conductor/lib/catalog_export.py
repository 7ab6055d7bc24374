"""What an account can choose from, as a file that ``conductor-mock serve --catalog`` takes."""

from __future__ import annotations

from typing import Any

from conductor.lib.accounts import account_environment_records
from conductor.lib.api_client import ApiClient, client_or_own


def export_catalog(*, client: ApiClient | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the account's packages, projects of every status, machines and environment, as the service has them.

    The environment is listed without the account's id, since another server's account has another.
    """
    with client_or_own(client) as api:
        return {
            "packages": api.list_packages(),
            "projects": api.list_projects(()),
            "instance_types": api.list_instance_types(),
            "env_vars_configs": account_environment_records(api),
        }
