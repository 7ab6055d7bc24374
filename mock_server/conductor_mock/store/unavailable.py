"""The error of what does not work now: apart from what tells the refusals of a system, so that locks may raise it."""

from __future__ import annotations


class UnavailableError(OSError):
    """What keeps contents, or servers apart, does not work now; the text says why, for everybody to read."""


class TakesNoWritesError(UnavailableError):
    """It can be read, and what is written to it is refused."""
