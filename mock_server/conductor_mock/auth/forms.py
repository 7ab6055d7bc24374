"""What the forms of the pages carry, so that a write is known to come from a page that this server showed.

A browser keeps a random cookie; a form holds its HMAC under the server's key. Another site can make a browser send the
cookie, but knows no HMAC of it. The cookie is no secret of this server's: servers on other ports, which browsers give
the same cookies, share it, and each makes another proof of it.
"""

from __future__ import annotations

import hmac
import re
import secrets

_COOKIE = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


class FormProofs:
    """Makes and checks the proofs of one server's forms."""

    def __init__(self, signing_key: bytes) -> None:
        self._key = hmac.digest(signing_key, b"forms", "sha256")

    @staticmethod
    def cookie() -> str:
        """A new cookie."""
        return secrets.token_urlsafe(24)

    @staticmethod
    def is_cookie(text: str) -> bool:
        """Whether a browser's cookie is one that `cookie` may have made."""
        return _COOKIE.fullmatch(text) is not None

    def proof(self, cookie: str) -> str:
        """What a form that is shown to the browser with this cookie holds."""
        return hmac.new(self._key, cookie.encode(), "sha256").hexdigest()

    def proves(self, proof: str, cookie: str) -> bool:
        """Whether `proof` was made for this browser by this server."""
        return self.is_cookie(cookie) and hmac.compare_digest(self.proof(cookie).encode(), proof.encode())
