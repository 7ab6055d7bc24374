"""The catalogue as a value: what an account offers, and the figures that the farm needs beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conductor_mock.catalog.machines import Machine, MicroDollars, machine_from
from conductor_mock.catalog.problems import CatalogError

Record = dict[str, Any]
"""A JSON object exactly as it is served. Records are shared: read them, do not change them."""

LISTS = ("packages", "projects", "instance_types", "env_vars_configs")
"""The keys of a catalogue document that hold what is served."""
WRITTEN_LICENSES = "licences"
"""The key of the prices of licences in a document that we write. Digests in logs are made over it, so it stays."""
TABLES = ("machines", "licenses", WRITTEN_LICENSES)
"""The keys of a catalogue document that hold what only the farm reads; the last two are spellings of one."""


@dataclass(frozen=True)
class Catalog:
    """Everything a submitter can choose from.

    `packages`, `projects` and `instance_types` are the records of wire reference 2.1, 2.2 and 2.3 in the order
    in which they are served. `env_vars` is the `env` list of 2.4, the same for every account. `machines` has
    one entry for each instance type. `licenses` gives what a product's licence costs, in micro-dollars per
    hour; a product that is not in it costs nothing.

    Equal catalogues have equal `sha256`. A command log refers to a catalogue by it.
    """

    packages: tuple[Record, ...]
    projects: tuple[Record, ...]
    instance_types: tuple[Record, ...]
    env_vars: tuple[Record, ...]
    machines: Mapping[str, Machine]
    licenses: Mapping[str, MicroDollars]

    def package(self, package_id: str) -> Record | None:
        """The package with this id. None means an id that is not ours, which is no error on the wire."""
        return self._packages_by_id.get(package_id)

    def project(self, name: str) -> Record | None:
        """The project of this name, whatever its status."""
        return self._projects_by_name.get(name)

    def machine(self, instance_type: str) -> Machine | None:
        """The machine behind an `instance_type`."""
        return self.machines.get(instance_type)

    def license(self, product: str) -> MicroDollars:
        """What one machine pays for an hour of this product, in micro-dollars."""
        return self.licenses.get(product, 0)

    def to_document(self) -> Record:
        """The catalogue document: a JSON-ready dict that `from_document` turns into an equal catalogue."""
        return {
            "packages": list(self.packages),
            "projects": list(self.projects),
            "instance_types": list(self.instance_types),
            "env_vars_configs": list(self.env_vars),
            "machines": {name: machine.figures() for name, machine in self.machines.items()},
            WRITTEN_LICENSES: dict(self.licenses),
        }

    def to_json(self) -> str:
        """The document as canonical JSON: ASCII, keys sorted, no spaces. `sha256` is the digest of this text."""
        return json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of `to_json()`; the same in every process and on every Python version."""
        return hashlib.sha256(self.to_json().encode("ascii")).hexdigest()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Catalog:
        """Make the catalogue of a complete document that `validation.validate` finds no error in.

        Figures of machines that the document leaves out follow from the rule of `machines`.
        """
        figures = document.get("machines", {})
        instance_types = tuple(document["instance_types"])
        return cls(
            packages=tuple(document["packages"]),
            projects=tuple(document["projects"]),
            instance_types=instance_types,
            env_vars=tuple(env_variables(document["env_vars_configs"])),
            machines={
                record["name"]: machine_from(record, figures.get(record["name"], {}))
                for record in instance_types
            },
            licenses=dict(document.get(license_key(document), {})),
        )

    @classmethod
    def from_json(cls, text: str) -> Catalog:
        """Read back what `to_json` wrote. Not for documents written by hand: `files.load` checks those.

        Raises CatalogError for text that is not a catalogue document.
        """
        try:
            return cls.from_document(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            raise CatalogError(f"this text was not written by Catalog.to_json: {error!r}") from error

    @cached_property
    def _packages_by_id(self) -> dict[str, Record]:
        return _index(self.packages, "package_id")

    @cached_property
    def _projects_by_name(self) -> dict[str, Record]:
        return _index(self.projects, "name")


def license_key(document: Mapping[str, Any]) -> str:
    """The key under which a document has the prices of licences, or would have them."""
    return "licenses" if "licenses" in document else WRITTEN_LICENSES


def env_variables(configs: Iterable[Record]) -> list[Record]:
    """The variables of an `env_vars_configs` list, in either form that a document may use.

    It is a plain list of variables, or the answer of wire reference 2.4 with one `{account_id, env}` record;
    the account id is then dropped, since each account is served the list under its own.
    """
    records = list(configs)
    if len(records) == 1 and "env" in records[0]:
        return list(records[0]["env"])
    return records


def _index(records: Iterable[Record], key: str) -> dict[str, Record]:
    return {record[key]: record for record in records}
