"""Software packages as hosts with their plugins (wire reference 2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.wire.records import text

PLATFORMS = ("linux", "windows")
_PIECES = re.compile(r"([0-9]+)|([^0-9]+)")
_VERSION_PARTS = ("major_version", "minor_version", "release_version", "build_version")


@dataclass(frozen=True)
class Package:
    """A software package; ``record`` is what ``request_software_packages`` returned.

    ``platform`` is linux where the service says nothing, as it did before it had others.
    """

    package_id: str
    product: str
    version: str
    platform: str
    record: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Package:
        """Read a record; version parts that are empty are left out."""
        parts = [text(record, name) for name in _VERSION_PARTS]
        return cls(
            package_id=text(record, "package_id"),
            product=text(record, "product"),
            version=".".join(part for part in parts if part),
            platform=text(record, "platform") or PLATFORMS[0],
            record=record,
        )

    @property
    def label(self) -> str:
        """``product version platform``, as the vendor's tools name packages."""
        return " ".join(part for part in (self.product, self.version, self.platform) if part)

    @property
    def is_host(self) -> bool:
        """Whether this is an application of its own and no plugin of another."""
        return not self.record.get("plugin_host_product")

    @property
    def order(self) -> tuple[Any, ...]:
        """A key that sorts by product, then by version as numbers (9 before 10), then by platform."""
        # By length, then as text: so digits compare as the number that they are, however many there are.
        parts = [(digits.lstrip("0"), other) for digits, other in _PIECES.findall(self.version)]
        numbers = tuple((len(digits), digits, other) for digits, other in parts)
        return (self.product, numbers, self.platform)


@dataclass(frozen=True)
class Branch:
    """A package in the tree, and the plugins that go with it."""

    package: Package
    plugins: tuple[Branch, ...] = ()

    def walk(self) -> Iterator[Branch]:
        """Yield this branch and all below it."""
        yield self
        for plugin in self.plugins:
            yield from plugin.walk()

    def as_record(self) -> dict[str, Any]:
        """Return the branch for JSON: ``package_id``, ``product``, ``version``, ``platform``, ``plugins``."""
        package = self.package
        return {
            "package_id": package.package_id,
            "product": package.product,
            "version": package.version,
            "platform": package.platform,
            "plugins": [plugin.as_record() for plugin in self.plugins],
        }


class PackageTree:
    """Packages as a tree: host applications, below each the plugins that its record names, and so on.

    With exactly one of ``products`` the roots are all packages of that product, a plugin too; with several, the hosts
    among them; with none, every host. Packages of other ``platforms`` are left out. Plugins that are not in ``records``
    are passed over, and so is one that would stand below itself.
    """

    def __init__(
        self,
        records: Iterable[Mapping[str, Any]],
        *,
        products: Iterable[str] = (),
        platforms: Iterable[str] = PLATFORMS,
    ) -> None:
        names, accepted = frozenset(products), frozenset(platforms)
        packages = [Package.from_record(record) for record in records]
        packages = sorted(
            (package for package in packages if package.platform in accepted),
            key=lambda package: package.order,
        )
        by_id = {package.package_id: package for package in packages}
        roots = [
            package
            for package in packages
            if (len(names) == 1 or package.is_host) and (not names or package.product in names)
        ]
        self.roots = tuple(_branch(package, by_id, frozenset()) for package in roots)

    def hosts(self) -> tuple[Package, ...]:
        """Return the packages at the roots, sorted by product, version and platform."""
        return tuple(branch.package for branch in self.roots)

    def plugins_of(self, host: str) -> dict[str, list[str]]:
        """Return the plugins of a host, given by its label: versions by product, both sorted.

        Raises BadArgumentError if there is no such host.
        """
        versions: dict[str, list[str]] = {}
        for plugin in self._root(host).plugins:
            versions.setdefault(plugin.package.product, []).append(plugin.package.version)
        return versions

    def find(self, host: str, *plugins: str) -> Package:
        """Return the package at the end of a path of labels, such as ``find("maya-io 2023 linux", "arnold-maya 7.1")``.

        The platform may be left out where it is clear without. Raises BadArgumentError naming the first label that is
        not there.
        """
        branch = self._root(host)
        for label in plugins:
            branch = _labelled(label, branch.plugins, f"a plugin of {branch.package.label}")
        return branch.package

    def walk(self) -> Iterator[Branch]:
        """Yield every branch, hosts before their plugins; a plugin of several hosts comes several times."""
        for root in self.roots:
            yield from root.walk()

    def as_records(self) -> list[dict[str, Any]]:
        """Return the tree for JSON (see ``Branch.as_record``)."""
        return [root.as_record() for root in self.roots]

    def _root(self, label: str) -> Branch:
        return _labelled(label, self.roots, "a host")


def _branch(package: Package, by_id: Mapping[str, Package], above: frozenset[str]) -> Branch:
    path = above | {package.package_id}
    ids = package.record.get("plugins") or ()
    plugins = [by_id[name] for name in dict.fromkeys(map(str, ids)) if name in by_id and name not in path]
    plugins.sort(key=lambda plugin: plugin.order)
    return Branch(package, tuple(_branch(plugin, by_id, path) for plugin in plugins))


def _labelled(label: str, branches: Iterable[Branch], what: str) -> Branch:
    by_label: dict[str, list[Branch]] = {}
    for branch in branches:
        package = branch.package
        for name in {package.label, f"{package.product} {package.version}".strip()}:
            by_label.setdefault(name, []).append(branch)
    matches = by_label.get(label, [])
    if len(matches) == 1:
        return matches[0]
    from conductor.lib.submission.arguments import closest

    advice = f"{what}, with its platform" if matches else f"{what}; {closest(label, by_label)}"
    raise BadArgumentError.listing([Problem("package", repr(label)[:80], advice)])
