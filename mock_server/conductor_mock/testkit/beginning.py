"""How an account begins, as a value: what a shared server can give to one account alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor_mock.catalog.files import NAMES as SHIPPED
from conductor_mock.catalog.files import load as load_catalog
from conductor_mock.catalog.files import named as named_catalog
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.values import NAMES_OF_OPTIONS

OF_AN_ACCOUNT = ("speed", "catalog", *NAMES_OF_OPTIONS)
"""The settings that an account has of its own; all others are a server's."""


@dataclass(frozen=True)
class Beginning:
    """What an account is given before its test: its clock's speed, options, a catalogue. None of them: the server's."""

    speed: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    catalog: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Beginning:
        """Of settings by name, those `OF_AN_ACCOUNT`. Raises CatalogError for a catalogue that cannot be read."""
        catalog = settings.get("catalog")
        return cls(
            speed=settings.get("speed"),
            options={name: settings[name] for name in NAMES_OF_OPTIONS if settings.get(name) is not None},
            catalog=None if catalog is None else catalog_document(catalog),
        )

    def apply(self, control: Control) -> None:
        """Give it to a new account. Raises ControlError."""
        if self.speed is not None:
            control.ask("POST", "clock", {"speed": self.speed})
        if self.options:
            control.ask("POST", "options", dict(self.options))
        if self.catalog is not None:
            control.ask("PUT", "catalog", dict(self.catalog))


def catalog_document(catalog: Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    """A catalogue by the name of a shipped one, of a file, or as it is. Raises CatalogError."""
    if isinstance(catalog, Mapping):
        return catalog
    if str(catalog) in SHIPPED:
        return named_catalog(str(catalog)).to_document()
    return load_catalog(Path(catalog)).to_document()
