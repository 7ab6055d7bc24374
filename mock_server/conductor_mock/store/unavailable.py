"""The error of what does not work now: apart from what tells the refusals of a system, so that locks may raise it."""

from __future__ import annotations


class UnavailableError(OSError):
    """What keeps contents, or servers apart, does not work now; the text says why, for everybody to read."""

    why = "cannot be reached"
    """The same in a few words without any name, for whoever asks whether the server is ready."""


class TakesNoWritesError(UnavailableError):
    """It can be read, and what is written to it is refused."""

    why = "takes no writes"


def told_to_others(error: BaseException) -> Exception:
    """What those are told who depended on what `error` has ended. A thread that is interrupted ends none but itself."""
    if isinstance(error, Exception):
        return error
    return UnavailableError("it was interrupted while it wrote: ask again")
