"""Why nothing can be run for real."""

from __future__ import annotations


class ExecutionError(ValueError):
    """Tasks cannot be run for real here; the text says why, and begins with the option to change."""
