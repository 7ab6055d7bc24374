"""The accounts of callers who show no key: each way in without one has its own, and none is the default one."""

from __future__ import annotations

import hmac

PROMPT_NONE = "a browser without consent"
ID_TOKEN = "an identity provider"  # noqa: S105 - a name
"""Names with blanks, which no e-mail address is."""


def secret(signing_key: bytes, name: str) -> str:
    """The private key of such an account. Only this server knows it, so that nobody takes the account with a key."""
    return hmac.new(signing_key, f"unnamed:{name}".encode(), "sha256").hexdigest()
