"""The answers that a catalogue gives, made once: they are large and the same for every request."""

from __future__ import annotations

import json
from dataclasses import dataclass

from conductor_mock.catalog.model import Catalog


@dataclass(frozen=True, slots=True)
class ServedCatalog:
    """The JSON bodies of `packages.list`, `projects.list` and `instance_types.list` without a filter."""

    packages: bytes
    projects: bytes
    instance_types: bytes

    @classmethod
    def of(cls, catalog: Catalog) -> ServedCatalog:
        return cls(
            *(_body(records) for records in (catalog.packages, catalog.projects, catalog.instance_types))
        )


def _body(records: object) -> bytes:
    return json.dumps({"data": records}, separators=(",", ":")).encode("ascii")
