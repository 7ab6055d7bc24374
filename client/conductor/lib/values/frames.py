"""The grammar of frame lists (wire reference 7.3): ``8``, ``10-12``, ``1-9x2``, ``1, 10-20, 100-200x2``."""

from __future__ import annotations

import re

ACCEPTED_FRAMES = "frames such as '8', '10-12', '1-9x2' or '1, 10-20, 100-200x2' (steps from 1)"

# Digits are bounded only to keep a typing error from becoming a number that nothing can hold.
_PART = re.compile(r"\s*(-?\d{1,9})(?:-(-?\d{1,9})(?:x(\d{1,9}))?)?\s*", re.ASCII)


def parse_frames(text: str) -> tuple[range, ...]:
    """Return one range for each part; ``10-1`` reads as ``1-10``. Empty text gives no range.

    Raises ValueError, naming the part that is wrong.
    """
    if not text.strip():
        return ()
    return tuple(_parse_part(part) for part in text.split(","))


def _parse_part(part: str) -> range:
    match = _PART.fullmatch(part)
    if match is None or match[3] == "0" * len(match[3] or "-"):
        raise ValueError(f"{part.strip()!r} is not a frame, a range or a stepped range")
    first = int(match[1])
    last = int(match[2]) if match[2] is not None else first
    return range(min(first, last), max(first, last) + 1, int(match[3] or 1))
