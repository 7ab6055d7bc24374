"""The version of the installed distribution."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Such as `0.1.0`; `unknown` when the package runs from a tree that was never installed."""
    try:
        return metadata.version("conductor-mock")
    except metadata.PackageNotFoundError:
        return "unknown"
