"""`companion.login`: the desktop companion's way to a token (wire reference 2.23)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.api.bodies import contract_body
from conductor_mock.api.doors import known_host, no_page_of_another_site
from conductor_mock.api.signing_in import sign_in, token_of
from conductor_mock.auth.unnamed import ID_TOKEN, secret
from conductor_mock.context import service
from conductor_mock.errors import unauthorized

companion = Blueprint("companion", __name__)

SCOPE = "owner admin user"


@companion.post("/api/auth")
def login() -> dict[str, Any]:
    """The account that somebody may use, with a token: that of an e-mail address, made with its first password.

    A token of an identity provider is not looked into and so proves nothing: on a loopback address it leads to an
    account of its own. The default account is reached by its key, as `email` and `password` too, and in no other way.
    """
    known_host()
    no_page_of_another_site()
    body = contract_body()
    if body.get("email"):
        return {"accounts": [_account(body["email"], body["password"], body["email"])]}
    if not service().settings.loopback:
        raise unauthorized("an id_token is accepted on a loopback address only; send email and password")
    key = secret(service().keys.signing_key, ID_TOKEN)
    return {"accounts": [_account(ID_TOKEN, key, "companion@conductor.local")]}


def _account(client_id: str, private_key: str, email: str) -> dict[str, Any]:
    account_id = sign_in(client_id, private_key, kind="password")
    return {
        "account": account_id,
        "accountName": client_id,
        "token": token_of(client_id, SCOPE),
        "email": email,
        "status": "active",
        "role": 1,
    }
