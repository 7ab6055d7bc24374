"""Paths that the commands of server and contracts are given."""

from __future__ import annotations

import os
from typing import Any

import click


class LocalPath(click.Path):
    """A path of this machine: a leading `~` is a home, and empty text is no path.

    A shell does not expand `~` in `--option=~/x`. Empty text is what it makes of a variable that is not set; as a path
    it would be the current directory.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if isinstance(value, str):
            if not value:
                self.fail("a path is empty; is it a variable that is not set?", param, ctx)
            value = os.path.expanduser(value)  # noqa: PTH111 - what names no home stays as it is
        return super().convert(value, param, ctx)
