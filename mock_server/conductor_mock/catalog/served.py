"""The answers that a catalogue gives, made once: they are large and the same for every request."""

from __future__ import annotations

import json
from dataclasses import dataclass

from conductor_mock.catalog.model import Catalog


@dataclass(frozen=True, slots=True)
class ServedCatalog:
    """A catalogue and the JSON bodies of its three long lists, as they are served without a filter."""

    catalog: Catalog
    packages: bytes
    projects: bytes
    instance_types: bytes

    @classmethod
    def of(cls, catalog: Catalog) -> ServedCatalog:
        lists = (catalog.packages, catalog.projects, catalog.instance_types)
        return cls(catalog, *(_body(records) for records in lists))


def _body(records: object) -> bytes:
    return json.dumps({"data": records}, separators=(",", ":")).encode("ascii")
