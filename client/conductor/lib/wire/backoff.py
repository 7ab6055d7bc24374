"""Waits that grow, for whatever is tried again: requests, daemons, pollers."""

from __future__ import annotations


def growing(first: float, step: int, longest: float, factor: float = 2.0) -> float:
    """Return the wait of a step, counted from 0: ``first``, ``factor`` times as long each time, at most ``longest``."""
    try:
        return min(longest, first * factor**step)
    except OverflowError:
        return longest
