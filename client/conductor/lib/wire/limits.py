"""What an answer may cost this side, whoever sends it: bytes, seconds, numbers, pages.

The table in ``docs/security.md`` says what each is for. All are far beyond what a service was seen to send.
"""

from __future__ import annotations

import json
import math
from typing import Any

MEBIBYTE = 1024 * 1024
SMALL_ANSWER_BYTES = MEBIBYTE
LISTING_BYTES = 512 * MEBIBYTE
"""Of lists, whose records are as many as somebody has jobs, tasks or files."""
ERROR_BYTES = MEBIBYTE
"""Of what is read of an answer that is no success; the rest of it is not asked for."""
LEAST_BYTES_PER_SECOND = 1024
"""What an answer has to bring on average, once twice the operation's ``read_timeout`` is over."""
DIGITS = 40
"""Of a whole number: the longest ids that were seen have twenty."""
LARGEST = 1e18
"""Of a number that is counted with."""
LIFETIME_SECONDS = 10**9
"""Of a token: some thirty years."""
PAGES = 100_000
"""Of one listing, which is five million tasks."""
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""How an answer may be packed: as it was asked for, and once."""


def read_json(content: bytes) -> Any:
    """Return what JSON says. Raises ValueError for what is none, is nested too deep or has a number out of range."""
    try:
        return json.loads(content, parse_int=_whole, parse_float=_finite)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is out of range")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:DIGITS]} is out of range")
    return value


def lifetime(seconds: Any) -> int:
    """Return for how long a token is valid. Raises ValueError for what is no number, or out of range."""
    try:
        whole = int(seconds)
    except (TypeError, ValueError, OverflowError):
        whole = -1
    if not 0 <= whole <= LIFETIME_SECONDS:
        raise ValueError(f"a lifetime must be a number of seconds, at most {LIFETIME_SECONDS}")
    return whole
