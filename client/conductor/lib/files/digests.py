"""md5s as the service writes them, base64 of the 16 raw bytes (wire reference 4), and names made by hashing."""

from __future__ import annotations

import base64
import binascii
import hashlib


class Md5:
    """The md5 of bytes that come one block after the other."""

    def __init__(self) -> None:
        self._digest = hashlib.md5(usedforsecurity=False)

    def update(self, block: bytes | memoryview) -> None:
        """Take the next block."""
        self._digest.update(block)

    @property
    def text(self) -> str:
        """The md5 of all blocks so far."""
        return base64.b64encode(self._digest.digest()).decode()


def is_md5(value: object) -> bool:
    """Say whether a value is an md5 as the service writes it."""
    if not isinstance(value, str) or len(value) != 24:
        return False
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def hashed_name(text: str) -> str:
    """Return 64 hexadecimal digits that tell texts apart and do not give them away."""
    return hashlib.sha256(text.encode()).hexdigest()
