"""The formats of files, each as a JSON Schema for programs in any language (``file_schemas/NAME.schema.json``)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from conductor_contracts.problems import Problem
from conductor_contracts.schemas import SchemaSet

FORMATS = {
    "interactions": "requests with the answers that are expected, of one operation",
    "job-states": "statuses of jobs, tasks, uploads and downloads, and what moves them",
    "retries": "what a client ought to do when requests go wrong",
    "changes": "what each version of the contract changed, on what evidence",
    "bundle-manifest": "manifest.json of an account that was saved as one file",
}
"""Each format with what its files hold."""


def schema_text(name: str) -> str:
    """The JSON Schema (2020-12) of a format. KeyError for a name that is none of FORMATS."""
    if name not in FORMATS:
        raise KeyError(name)
    path = files("conductor_contracts").joinpath("file_schemas").joinpath(f"{name}.schema.json")
    return path.read_text(encoding="utf-8")


def problems_of(name: str, document: Any) -> list[Problem]:
    """Where a document is not of a format, at most 20 places. Raises nothing for the document."""
    return _schemas(name).check(name, document)


@cache
def _schemas(name: str) -> SchemaSet:
    schema: dict[str, Any] = json.loads(schema_text(name))
    return SchemaSet({**schema.pop("$defs"), name: schema})
