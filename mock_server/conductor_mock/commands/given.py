"""What the command line gives as text: JSON, a name and a value."""

from __future__ import annotations

import json
from typing import Any

import click


def json_value(option: str, text: str) -> Any:
    """A text as JSON. Raises BadParameter that names the option."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint=option) from None


def named_value(option: str, text: str, what: str = "NAME=VALUE") -> tuple[str, Any]:
    """`name=value`, the value as JSON or else as the text that it is. Raises BadParameter that names the option."""
    name, sign, value = text.partition("=")
    if not sign:
        raise click.BadParameter(f"must be {what}, got {text[:40]!r}", param_hint=option)
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
