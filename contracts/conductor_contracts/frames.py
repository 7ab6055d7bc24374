"""Frame specifications: the grammar of wire reference 7.3, in one implementation.

    1    10-12    1-100x5    1, 10-20, 100-200x2    -5--1

Parts are separated by commas, spaces around them do not matter, `10-1` is read as `1-10`, a step counts from the first.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby, pairwise
from math import gcd

MAX_FRAMES = 1_000_000
"""More frames than that in one specification is taken for a mistake."""
MAX_RANGES = 200
"""Ranges of one specification; single frames are not counted. Two specifications are compared range by range."""

SHORT, REMEMBERED = 40, 1024
"""Specifications of up to so many characters are remembered, and so many of them: a job says the same ones again and
again, and the next job as well."""

_PART = re.compile(r"(-?[0-9]{1,9})(?:\s*-\s*(-?[0-9]{1,9})(?:\s*x\s*([0-9]{1,9}))?)?")


class FramesError(ValueError):
    """A text that is not a frame specification; the message names the part."""


@dataclass(frozen=True)
class Frames:
    """A set of frames as the ranges that it was written with. No question about it walks what a range spans."""

    ranges: tuple[range, ...]

    def __iter__(self) -> Iterator[int]:
        """Each frame once, in ascending order, made as it is asked for."""
        return (frame for frame, _ in groupby(heapq.merge(*self._long, self._single)))

    def __contains__(self, frame: int) -> bool:
        return any(frame in part for part in self.ranges)

    def meets(self, other: Frames) -> bool:
        """Whether the two have a frame in common."""
        return (
            not self._set.isdisjoint(other._set)
            or any(_holds(part, other._single) for part in self._long)
            or any(_holds(part, self._single) for part in other._long)
            or any(_meet(part, another) for part in self._long for another in other._long)
        )

    @cached_property
    def _long(self) -> list[range]:
        return [part for part in self.ranges if len(part) > 1]

    @cached_property
    def _single(self) -> list[int]:
        return sorted(self._set)

    @cached_property
    def _set(self) -> frozenset[int]:
        return frozenset(part[0] for part in self.ranges if len(part) == 1)


def _holds(part: range, ordered: Sequence[int]) -> bool:
    """Whether a range has one of some ascending frames."""
    within = range(bisect_left(ordered, part[0]), bisect_right(ordered, part[-1]))
    return bool(within) if part.step == 1 else any(ordered[place] in part for place in within)


def _meet(first: range, second: range) -> bool:
    """Whether two ascending ranges have a frame in common.

    The common frames of two progressions are one whose step is the least common multiple (the Chinese remainder
    theorem); the question is whether its first member that is in both has come before either ends.
    """
    shared = gcd(first.step, second.step)
    apart = second.start - first.start
    if apart % shared:
        return False
    modulus = second.step // shared
    steps = (apart // shared * pow(first.step // shared, -1, modulus)) % modulus if modulus > 1 else 0
    common = first.start + steps * first.step
    low, high = max(first.start, second.start), min(first[-1], second[-1])
    period = first.step * modulus
    if common < low:
        common += -((common - low) // period) * period
    return common <= high


def parse(text: str) -> Frames:
    """The frames of a specification; an empty text is no frames. Raises FramesError."""
    return _parse_short(text) if len(text) <= SHORT else _parse(text)


def _parse(text: str) -> Frames:
    ranges = tuple(_part(part.strip()) for part in text.split(",") if part.strip())
    if sum(map(len, ranges)) > MAX_FRAMES:
        raise FramesError(f"{text[:80]!r} has more than {MAX_FRAMES} frames")
    if sum(len(part) > 1 for part in ranges) > MAX_RANGES:
        raise FramesError(f"{text[:80]!r} has more than {MAX_RANGES} ranges")
    return Frames(ranges)


_parse_short = lru_cache(REMEMBERED)(_parse)


def parse_or_none(text: str) -> Frames | None:
    """The frames of a text that may be anything: a task's `frames` is informational (wire reference 7.3)."""
    try:
        return parse(text)
    except FramesError:
        return None


def write(frames: Sequence[int]) -> str:
    """Ascending frames as a specification: `8`, `1-5`, `1-9x2`, `1,2,7`."""
    if len(frames) == 1:
        return str(frames[0])
    step = frames[1] - frames[0]
    if any(second - first != step for first, second in pairwise(frames)) or len(frames) == 2:
        steady = len(frames) == 2 and step == 1
        return f"{frames[0]}-{frames[1]}" if steady else ",".join(map(str, frames))
    return f"{frames[0]}-{frames[-1]}" + ("" if step == 1 else f"x{step}")


def chunks(frames: Frames, size: int) -> Iterator[list[int]]:
    """The frames in order, `size` at a time."""
    ordered = list(frames)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _part(text: str) -> range:
    match = _PART.fullmatch(text)
    if match is None:
        raise FramesError(f"{text[:40]!r} is not a frame, a range a-b, or a range with a step a-bxs")
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    step = 1 if match[3] is None else int(match[3])
    if step == 0:
        raise FramesError(f"{text[:40]!r} has a step of 0")
    low, high = min(first, last), max(first, last)
    return range(low, high + 1, step)
