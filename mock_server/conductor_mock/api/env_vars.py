"""`env_vars.list` (wire reference 2.4)."""

from __future__ import annotations

from flask import Blueprint

from conductor_mock.context import caller, catalog

env_vars = Blueprint("env_vars", __name__)


@env_vars.get("/api/v1/integrations/env-vars-configs", endpoint="list")
def list_() -> dict[str, object]:
    """The environment of the account. Its id is text: clients never match a number (trap 18)."""
    return {"data": [{"account_id": caller().account_id, "env": list(catalog().env_vars)}]}
