"""Reading the arguments of a job from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conductor.lib.exceptions import BadArgumentError, InvalidPathError


def read_job_file(path: Path) -> dict[str, Any]:
    """Read the arguments of a job from JSON (by its suffix) or YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidPathError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidPathError(f"{path} is not UTF-8 text") from None
    content = _parse(text, path)
    if not isinstance(content, dict):
        raise BadArgumentError(f"{path} must hold the arguments of a job, as name: value")
    return content


def _parse(text: str, path: Path) -> Any:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadArgumentError(f"{path} is not JSON: {error}") from None
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadArgumentError(f"{path} is not YAML: {_explained(error)}") from None


def _explained(error: Exception) -> str:
    """Return what is wrong and where; the error's own text names a stream instead of the file."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is nested too deep"
    return f"{where}{reason}"
