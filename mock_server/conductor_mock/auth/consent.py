"""What a person agreed to on the login page, proved by what only that page and that browser hold."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

SECONDS = 600
"""How long a page that asks may stay open."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: a token of a `scope` for whoever waits at `target`, in the browser that holds `cookie`."""

    target: str
    scope: str
    cookie: str


class Consent:
    """Makes and checks the answers of one server's login page."""

    def __init__(self, signing_key: bytes) -> None:
        self._key = hmac.digest(signing_key, b"consent", "sha256")

    def cookie(self) -> str:
        """A new secret of a browser."""
        return secrets.token_urlsafe(24)

    def proof(self, question: Question, *, now_s: float) -> str:
        """What the form of the page sends back with the answer; good for SECONDS of wall time."""
        expires_s = int(now_s) + SECONDS
        return f"{expires_s}.{self._signature(question, expires_s)}"

    def proves(self, proof: str, question: Question, *, now_s: float) -> bool:
        """Whether `proof` was made for this question, and lately."""
        expiry, _, signature = proof.partition(".")
        if not (expiry.isascii() and expiry.isdigit() and len(expiry) < 15):
            return False
        right = self._signature(question, int(expiry))
        return hmac.compare_digest(right.encode(), signature.encode()) and now_s <= int(expiry)

    def _signature(self, question: Question, expires_s: int) -> str:
        parts = (question.target, question.scope, question.cookie, str(expires_s))
        return hmac.new(self._key, "\0".join(parts).encode(), "sha256").hexdigest()
