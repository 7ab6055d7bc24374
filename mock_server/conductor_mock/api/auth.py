"""`auth.token`: an API key becomes a bearer token (wire reference 1.1)."""

from __future__ import annotations

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from conductor_mock.api.browser_login import MAX_SCOPE, browser_login
from conductor_mock.api.signing_in import sign_in, token_of
from conductor_mock.auth.tokens import MAX_BYTES
from conductor_mock.context import service
from conductor_mock.errors import wrong_value

auth = Blueprint("auth", __name__)

MAX_CLIENT_ID = 200


@auth.get("/api/oauth_jwt")
def token() -> dict[str, object] | ResponseReturnValue:
    """Exchange `client_id` and `client_secret` for a token; the account is made on first use.

    With a `redirect_uri` it is the browser login instead (wire reference 1.2).
    """
    if request.args.get("redirect_uri") is not None:
        return browser_login(request.args["redirect_uri"])
    client_id, secret = request.args["client_id"], request.args["client_secret"]
    if len(client_id) > MAX_CLIENT_ID or not client_id.isprintable():
        raise wrong_value(
            "client_id", f"must be 1 to {MAX_CLIENT_ID} printable characters, got {len(client_id)}"
        )
    if not secret.strip():
        raise wrong_value("client_secret", "must be the private_key of the API key, got nothing")
    scope = (request.args.get("scope") or "owner admin user")[:MAX_SCOPE]
    access_token = token_of(client_id, scope)
    if len(access_token) >= MAX_BYTES:
        raise wrong_value("client_id", f"makes, with scope and Host, a token of {MAX_BYTES} bytes or more")
    g.account_id = sign_in(client_id, secret)  # for the journal: this request carries no token yet
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": service().tokens.ttl_s,
        "scope": scope,
    }
