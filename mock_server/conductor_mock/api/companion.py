"""`companion.login`: the desktop companion's way to a token (wire reference 2.23)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.api.bodies import contract_body
from conductor_mock.auth.tokens import Identity
from conductor_mock.context import now_s, origin, service
from conductor_mock.errors import unauthorized
from conductor_mock.store.accounts import WrongKeyError

companion = Blueprint("companion", __name__)

SCOPE = "owner admin user"


@companion.post("/api/auth")
def login() -> dict[str, Any]:
    """The accounts that somebody may use, each with a token.

    An e-mail address has an account of its own, made with its first password. On a loopback address the account of
    the ready file is offered too, so that jobs which were submitted with its key can be looked at.
    """
    body = contract_body()
    accounts = []
    email = body.get("email") or "companion@conductor.local"
    if service().settings.loopback:
        keys = service().keys
        accounts.append(_account(keys.client_id, keys.private_key, email))
    if body.get("email"):
        accounts.append(_account(body["email"], body["password"], email))
    if not accounts:
        raise unauthorized("an id_token is accepted on a loopback address only; send email and password")
    return {"accounts": accounts}


def _account(client_id: str, secret: str, email: str) -> dict[str, Any]:
    try:
        account_id = service().accounts.sign_in(client_id, secret)
    except WrongKeyError:
        raise unauthorized(f"{client_id!r} is known here with another password") from None
    identity = Identity(account_id, client_id)
    token = service().tokens.issue(identity, audience=origin(), now_s=now_s(), scope=SCOPE)
    return {
        "account": account_id,
        "accountName": client_id,
        "token": token,
        "email": email,
        "status": "active",
        "role": 1,
    }
