"""What a YAML file of this package says, kept as JSON beside it: that is read some twenty times as fast.

The YAML file alone is edited. Its copy names the text that it was made of, and of any other text it is no copy:
then the YAML file is parsed, until `make docs` has written the copy anew.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml


def read(name: str, folder: Path | None = None) -> dict[str, Any]:
    """The document of a file of this package (or of another folder), `openapi.yaml` for one."""
    place = folder or files("conductor_contracts")
    text = place.joinpath(name).read_text(encoding="utf-8")
    try:
        copy: dict[str, Any] = json.loads(place.joinpath(copy_of(name)).read_text(encoding="utf-8"))
        if copy["sha256"] == _digest(text):
            document: dict[str, Any] = copy["document"]
            return document
    except (OSError, ValueError, LookupError, TypeError):
        pass  # a copy that is not there, or that a merge has spoilt: the text itself is at hand
    return parse(text)


def parse(text: str) -> dict[str, Any]:
    """The document of a YAML text."""
    document: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return document


def copy_of(name: str) -> str:
    """The name of the copy of a YAML file."""
    return f"{name.removesuffix('.yaml')}.parsed.json"


def written(text: str) -> str:
    """The copy of a YAML text."""
    copy = {"sha256": _digest(text), "document": parse(text)}
    return json.dumps(copy, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
