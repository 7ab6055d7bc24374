"""The API key that a command is given, as a file or in the environment."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import click

from conductor_contracts.text_files import TextFileError, read_text


def api_key(path: Path | None) -> dict[str, str]:
    """The API key of a file or of CONDUCTOR_API_KEY. Raises UsageError, never quoting it."""
    where = str(path) if path else "CONDUCTOR_API_KEY"
    try:
        text = read_text(path) if path else os.environ.get("CONDUCTOR_API_KEY", "")
    except TextFileError as error:
        raise click.UsageError(f"{where} {error}") from None
    if not text.strip():
        raise click.UsageError(f"{where} holds no API key; give --api-key-file or set CONDUCTOR_API_KEY")
    key = _decoded(text)
    if not isinstance(key, dict):
        raise click.UsageError(
            f"{where} must be a JSON object (or its base64) with client_id and private_key"
        )
    for name in ("client_id", "private_key"):
        if not isinstance(key.get(name), str) or not key[name]:
            wrong = "is missing" if name not in key else "must be a text that is not empty"
            raise click.UsageError(f"{where} holds no API key: its {name} {wrong}")
    return {"client_id": key["client_id"], "private_key": key["private_key"]}


def _decoded(text: str) -> Any:
    """Raw JSON, its real line breaks dropped, or base64 of JSON (wire reference 1.7); None if neither."""
    text = text.lstrip("\ufeff")
    for candidate in (text, text.replace("\r", "").replace("\n", "")):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    try:
        return json.loads(base64.b64decode(text, validate=False))
    except ValueError:
        return None
