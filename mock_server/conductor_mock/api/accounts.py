"""`accounts.get`: the name of one's account (wire reference 1.6)."""

from __future__ import annotations

from flask import Blueprint

from conductor_mock.context import caller
from conductor_mock.errors import forbidden

accounts = Blueprint("accounts", __name__)


@accounts.get("/api/v1/accounts/<account_id>")
def get(account_id: str) -> dict[str, object]:
    """The caller's own account; its name is the API key's client_id."""
    identity = caller()
    if account_id != identity.account_id:
        raise forbidden(f"the token is for account {identity.account_id}, not for {account_id[:80]}")
    return {"data": {"id": identity.account_id, "name": identity.client_id}}
