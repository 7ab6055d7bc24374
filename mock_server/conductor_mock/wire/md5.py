"""md5 digests as the wire writes them: base64 of the 16 raw bytes, never hexadecimal (wire reference 4)."""

from __future__ import annotations

import base64
import binascii
import re

# 21 letters of six bits, one of two with four zeros, and what fills up: a job has as many of them as files.
_CANONICAL = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")


def to_base64(digest: bytes) -> str:
    """The wire form of a digest."""
    return base64.b64encode(digest).decode("ascii")


def from_base64(text: str) -> bytes:
    """The digest of a wire form. Raises ValueError for anything but base64 of 16 bytes."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {text[:80]!r}") from error
    if len(digest) != 16:
        raise ValueError(f"not the base64 of 16 bytes: {text[:80]!r}")
    return digest


def canonical(text: str) -> str:
    """The one spelling of a wire form: base64 leaves four bits of freedom in the last letter. Raises ValueError."""
    return text if _CANONICAL.fullmatch(text) else to_base64(from_base64(text))
