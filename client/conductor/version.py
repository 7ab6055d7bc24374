"""The version of this library."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Return the version of the installed distribution, or ``0+unknown`` in a bare source tree."""
    # Imported here because it costs more than most of this library.
    from importlib import metadata

    try:
        return metadata.version("conductor-mock")
    except metadata.PackageNotFoundError:
        return "0+unknown"
