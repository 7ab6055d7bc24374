"""Signed URLs: an HMAC over everything that a URL allows, so that it cannot be bent to anything else.

An upload's URL holds hexadecimal digits and numbers only, never a file's name: a name with `amazonaws` in it would
make clients switch to another upload style (trap 11). `/coreweave` before it makes them switch on purpose.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import quote

OUTPUTS_PREFIX = "/outputs"
"""In front of the path under which what a task made is brought; else a content is an upload."""


def content_path(account_id: str, md5: bytes, name: str) -> str:
    """The path of a content that is fetched. Its last segment is a file name."""
    return f"/objects/{account_id}/{md5.hex()}/{name}"


def output_path(account_id: str, md5: bytes) -> str:
    """The path under which an output is brought."""
    return f"{OUTPUTS_PREFIX}/objects/{account_id}/{md5.hex()}"


class SignatureError(Exception):
    """A URL that is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one signed URL allows: one method on one path, until `expires_s` (wall seconds).

    The path names the account and the content (or upload and part); `size` None means that none was declared.
    """

    method: str
    path: str
    size: int | None
    expires_s: int


class Signer:
    """Makes and checks the signed URLs of one server."""

    def __init__(self, signing_key: bytes) -> None:
        self._key = hmac.digest(signing_key, b"signed-urls", "sha256")

    def url(self, origin: str, grant: Grant) -> str:
        """The absolute URL for a grant."""
        size = "" if grant.size is None else f"&size={grant.size:d}"
        return f"{origin}{quote(grant.path)}?expires={grant.expires_s:d}{size}&signature={self._signature(grant)}"

    def check(self, grant: Grant, signature: str, *, now_s: float) -> None:
        """Raises SignatureError unless `signature` was made for exactly this grant and it has not expired."""
        if not hmac.compare_digest(self._signature(grant).encode(), signature.encode()):
            raise SignatureError("the signature does not fit this method, object, size and expiry")
        if now_s > grant.expires_s:
            raise SignatureError("the signed URL has expired; ask for a new one")

    def _signature(self, grant: Grant) -> str:
        text = "\n".join((grant.method, grant.path, str(grant.size), str(grant.expires_s)))
        return hmac.digest(self._key, text.encode(), "sha256").hex()
