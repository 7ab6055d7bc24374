"""`auth.token`: an API key becomes a bearer token (wire reference 1.1)."""

from __future__ import annotations

from urllib.parse import SplitResult, urlencode, urlsplit

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from conductor_mock.auth.tokens import MAX_BYTES, Identity
from conductor_mock.context import now_s, origin, service
from conductor_mock.errors import forbidden, unauthorized, wrong_value
from conductor_mock.farm import ids
from conductor_mock.store.accounts import WrongKeyError

auth = Blueprint("auth", __name__)

MAX_CLIENT_ID = 200


@auth.get("/api/oauth_jwt")
def token() -> dict[str, object] | ResponseReturnValue:
    """Exchange `client_id` and `client_secret` for a token; the account is made on first use.

    With a `redirect_uri` it is the browser login instead (wire reference 1.2).
    """
    if request.args.get("redirect_uri") is not None:
        return _browser_login(request.args["redirect_uri"])
    client_id, secret = request.args["client_id"], request.args["client_secret"]
    if len(client_id) > MAX_CLIENT_ID or not client_id.isprintable():
        raise wrong_value(
            "client_id", f"must be 1 to {MAX_CLIENT_ID} printable characters, got {len(client_id)}"
        )
    if not secret.strip():
        raise wrong_value("client_secret", "must be the private_key of the API key, got nothing")
    scope = (request.args.get("scope") or "owner admin user")[:200]
    tokens = service().tokens
    identity = Identity(ids.account_id(client_id), client_id)
    access_token = tokens.issue(identity, audience=origin(), now_s=now_s(), scope=scope)
    if len(access_token) >= MAX_BYTES:
        raise wrong_value("client_id", f"makes, with scope and Host, a token of {MAX_BYTES} bytes or more")
    g.account_id = _sign_in(client_id, secret)  # for the journal: this request carries no token yet
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": tokens.ttl_s,
        "scope": scope,
    }


def _sign_in(client_id: str, secret: str) -> str:
    """The account id of an API key. Refuses (401) a key that is not the account's."""
    try:
        return service().accounts.sign_in(client_id, secret)
    except WrongKeyError:
        raise unauthorized(f"client_id {client_id!r} is known here with another private_key") from None


def _browser_login(redirect_uri: str) -> ResponseReturnValue:
    """A page that asks, then a redirect to the client's own web server with the token of the default account.

    `prompt=none`, as OpenID Connect calls it, redirects at once. A token goes to this machine only: the client waits
    on a loopback port, and anywhere else would be somebody else's.
    """
    target = _loopback_url(redirect_uri)
    if not service().settings.loopback:
        raise forbidden("the browser login is for a server on a loopback address; use an API key")
    if request.args.get("prompt") != "none":
        agreed = f"{request.path}?{urlencode({**request.args.to_dict(), 'prompt': 'none'})}"
        return render_template(
            "login.html", agreed=agreed, account=service().keys.client_id, target=redirect_uri
        )
    keys = service().keys
    account_id = _sign_in(keys.client_id, keys.private_key)
    g.account_id = account_id
    scope = request.args.get("scope") or "user"
    access_token = service().tokens.issue(
        Identity(account_id, keys.client_id), audience=origin(), now_s=now_s(), scope=scope[:200]
    )
    answer = {"access_token": access_token, "expires_in": service().tokens.ttl_s, "scope": scope[:200]}
    joined = "&" if target.query else "?"
    return redirect(f"{redirect_uri}{joined}{urlencode(answer)}", 302)


def _loopback_url(text: str) -> SplitResult:
    """The URL of a web server on this machine. Refuses (400) any other, and what could not stand in a header."""
    refused = wrong_value("redirect_uri", f"must be a http URL of localhost, got {text[:80]!r}")
    if not (text.isascii() and text.isprintable()):
        raise refused
    try:
        url = urlsplit(text)
        local = url.hostname in ("localhost", "127.0.0.1") and url.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        raise refused from None
    if url.scheme != "http" or not local or url.fragment:
        raise refused
    return url
