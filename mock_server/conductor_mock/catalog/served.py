"""The answers that catalogues give, made once: they are large and the same for every request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol

from conductor_mock.catalog.files import default as shipped
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


MOST_OWN = 100
"""Catalogues of accounts' own in memory at once; one of them takes megabytes."""


class HasCatalog(Protocol):
    """An open account, as far as it concerns catalogues.

    `catalog_seq` is the command that gave it a catalogue of its own, if one did; `catalog_document` reads that.
    `opened_us` tells the account from what it was before it was reset.
    """

    @property
    def account_id(self) -> str: ...

    @property
    def opened_us(self) -> int: ...

    @property
    def catalog_seq(self) -> int | None: ...

    def catalog_document(self) -> Mapping[str, object] | None: ...


class Catalogs:
    """The catalogue of the server, and those that accounts were given; call it while the account is open."""

    def __init__(self, default: Callable[[], Catalog]) -> None:
        """`default` makes that of the server, when it is first asked for."""
        self._default = default
        self._own: dict[str, tuple[tuple[int, int], ServedCatalog]] = {}

    @cached_property
    def default(self) -> ServedCatalog:
        """What accounts are offered that have none of their own."""
        catalog = self._default()
        return _shipped() if catalog is shipped() else ServedCatalog.of(catalog)

    def of(self, account: HasCatalog) -> ServedCatalog:
        """What an account is offered."""
        seq = account.catalog_seq
        if seq is None:
            return self.default
        key = (account.opened_us, seq)
        own = self._own.get(account.account_id)
        if own is None or own[0] != key:
            document = account.catalog_document()
            for other in list(self._own)[
                : len(self._own) - MOST_OWN + 1
            ]:  # they are made again when asked for
                self._own.pop(other, None)
            own = self._own[account.account_id] = (
                key,
                ServedCatalog.of(Catalog.from_document(document or {})),
            )
        return own[1]

    def forget(self, account_id: str) -> None:
        """The account has another history now: nothing of the old one may be answered from memory."""
        self._own.pop(account_id, None)


@cache
def _shipped() -> ServedCatalog:
    """The shipped catalogue, for every server of this process."""
    return ServedCatalog.of(shipped())


def _body(records: object) -> bytes:
    return json.dumps({"data": records}, separators=(",", ":")).encode("ascii")
