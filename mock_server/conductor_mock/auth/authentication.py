"""Who may call what: every operation wants a bearer token, unless its `security` in the contract says otherwise."""

from __future__ import annotations

from flask import g, request

from conductor_mock.auth.tokens import Identity, TokenError
from conductor_mock.context import now_s, service
from conductor_mock.errors import unauthorized

GUARDED_ELSEWHERE = frozenset({"control", "pages"})
"""Blueprints with a rule of their own."""


def guarded_elsewhere() -> bool:
    """Whether the request is to a blueprint with a rule of its own, or to one inside such a blueprint."""
    return not GUARDED_ELSEWHERE.isdisjoint(request.blueprints)


def authenticate() -> None:
    """Set `g.identity` from the Authorization header, or refuse (401) and say what is wrong with it."""
    if request.endpoint is None or guarded_elsewhere():
        return
    rule = service().contract.operations[request.endpoint].authentication
    if rule == "never":
        return
    header = request.headers.get("Authorization")
    if header is None:
        if rule == "optional":
            return
        raise unauthorized(
            "the Authorization header is missing; send 'Bearer TOKEN' with one from /api/oauth_jwt"
        )
    g.identity = bearer(header)
    if not service().accounts.knows(g.identity.account_id):
        raise unauthorized(
            "the token's account does not exist on this server; fetch a new token from /api/oauth_jwt"
        )


def bearer(header: str) -> Identity:
    """Whom the token in an Authorization header speaks for. Refuses (401)."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("the Authorization header must be 'Bearer TOKEN'")
    try:
        return service().tokens.check(token.strip(), now_s=now_s())
    except TokenError as error:
        raise unauthorized(str(error)) from None
