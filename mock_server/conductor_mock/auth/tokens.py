"""Bearer tokens: real JWTs with the claims that clients read (wire reference 1.5), and why one is refused.

Lifetimes are wall time, never the simulated clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jwt

MAX_BYTES = 2000
"""The 2019 daemons copy a token into a buffer of this size (trap 33)."""

_ALGORITHM = "HS256"
KEPT = 1024
"""Tokens whose signature is remembered as right: each comes with every request of its client."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks for."""

    account_id: str
    client_id: str


class TokenError(Exception):
    """A token that is refused; the text says why."""


class Tokens:
    """Issues and checks the tokens of one server."""

    def __init__(self, signing_key: bytes, ttl_s: int) -> None:
        self._key = signing_key
        self.ttl_s = ttl_s
        self._claims = lru_cache(KEPT)(self._signed_claims)

    def issue(self, identity: Identity, *, audience: str, now_s: float, scope: str) -> str:
        """A token whose `aud` is the origin that the client used, which clients compare (wire reference 1.4)."""
        claims = {
            "iss": "conductor-mock",
            "aud": audience,
            "account": identity.account_id,
            "sub": identity.client_id,
            "scope": scope,
            "iat": int(now_s),
            "exp": int(now_s) + self.ttl_s,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def check(self, token: str, *, now_s: float) -> Identity:
        """Whom `token` speaks for. Any `aud` will do: one server has many names. Raises TokenError."""
        identity, expires_s = self._claims(token)
        if now_s >= expires_s:
            raise TokenError("the token has expired; fetch a new one from /api/oauth_jwt")
        return identity

    def _signed_claims(self, token: str) -> tuple[Identity, int]:
        """Whom a token speaks for and until when, which no time changes: asked once for each token that is in use."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                options={
                    "verify_aud": False,
                    "verify_exp": False,  # below, by the server's clock and not by that of the library
                    "verify_iat": False,  # a wall clock that stepped back makes no token wrong
                    "require": ["exp", "account", "sub"],
                },
            )
        except jwt.InvalidSignatureError:
            raise TokenError(
                "the token was not signed by this server; fetch one from /api/oauth_jwt"
            ) from None
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenError(f"not a valid token ({error}); fetch one from /api/oauth_jwt") from None
        if not isinstance(claims["account"], str) or not isinstance(claims["sub"], str):
            raise TokenError("not a valid token: account and sub must be texts")
        if not isinstance(claims["exp"], int):
            raise TokenError("not a valid token: exp must be a whole number of seconds")
        return Identity(claims["account"], claims["sub"]), claims["exp"]
