"""Whom a request speaks for. Which operations want a token, may carry one or never need one is said by the contract."""

from __future__ import annotations

from conductor_mock.auth.tokens import Identity, TokenError, Tokens
from conductor_mock.errors import unauthorized


def identify(header: str | None, tokens: Tokens, *, now_s: float) -> Identity:
    """Whom an Authorization header speaks for. Refuses (401), and says what is wrong with it."""
    if header is None:
        raise unauthorized(
            "the Authorization header is missing; send 'Bearer TOKEN' with one from /api/oauth_jwt"
        )
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("the Authorization header must be 'Bearer TOKEN'")
    try:
        return tokens.check(token.strip(), now_s=now_s)
    except TokenError as error:
        raise unauthorized(str(error)) from None
