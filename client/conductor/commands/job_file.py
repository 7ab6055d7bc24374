"""Reading the arguments of a job from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conductor.lib.exceptions import BadArgumentError, InvalidPathError
from conductor.lib.files.text_file import NotTextError, read_text
from conductor.lib.files.yaml_file import NotYamlError, parse_yaml


def read_job_file(path: Path) -> dict[str, Any]:
    """Read the arguments of a job from JSON (by its suffix) or YAML, which is taken as it is written."""
    try:
        text = read_text(path)
    except OSError as error:
        raise InvalidPathError(f"{path} cannot be read: {error.strerror}") from None
    except NotTextError as error:
        raise InvalidPathError(f"{path} {error}") from None
    content = _parse(text, path)
    if not isinstance(content, dict):
        raise BadArgumentError(f"{path} must hold the arguments of a job, as name: value")
    return content


def _parse(text: str, path: Path) -> Any:
    if path.suffix.lower() == ".json":
        try:
            return json.loads(text, object_pairs_hook=_object)
        except RecursionError:
            raise BadArgumentError(f"{path} is not JSON: it is nested too deep") from None
        except ValueError as error:
            raise BadArgumentError(f"{path} is not JSON: {error}") from None
    try:
        return parse_yaml(text, str(path))
    except NotYamlError as error:
        where = f"line {error.line}, column {error.column}: " if error.line else ""
        raise BadArgumentError(f"{path} is not YAML: {where}{error.reason}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} is there twice in one object")
    return made
