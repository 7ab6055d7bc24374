"""The fields of a head that a client sends again and again, and what was made of them when they first came.

What the fields of a head mean follows from their bytes and the version alone, unless the target names another host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conductor_mock.serving.head import Fields, RequestLine, read_fields

MOST_BYTES = 1024
"""Of fields that are kept with a connection: those of a client with a token are half of it."""


@dataclass(slots=True, eq=False)
class Recurring:
    """Fields of one client: `block` are their bytes with the empty line, `titled` is what cheroot calls them by."""

    block: bytes
    minor: int
    fields: Fields
    titled: dict[bytes, bytes]
    environ: dict[str, Any] | None = None
    """What WSGI makes of a request with them, once it was made."""

    @classmethod
    def read(cls, line: RequestLine, block: bytes) -> Recurring:
        """Read fields, of which each line is known to be one. Raises HeadError."""
        fields = read_fields(line, block)
        return cls(block, line.minor, fields, titled(fields))

    def are_those_of(self, line: RequestLine, block: bytes) -> bool:
        """Whether these bytes, below this line, mean the same."""
        return self.block == block and self.minor == line.minor and line.authority is None

    def may_be_kept(self, line: RequestLine) -> bool:
        """Whether they are worth it, and are all that was read."""
        return line.authority is None and len(self.block) <= MOST_BYTES


def titled(fields: Fields) -> dict[bytes, bytes]:
    """The values by name, as cheroot writes names."""
    return {name.title(): value for name, value in fields.values.items()}
