"""The packages that the shipped table names: one for each version, platform and, for a plug-in, version of its host.

Ids are made as the vendor's are, of the installer's name (wire reference 12.21). So the table says how installers are
called, and the documented ids follow.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conductor_mock.catalog import versions
from conductor_mock.catalog.problems import CatalogError

_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Platform:
    """How paths are written on a platform: software root, folders of settings and of scratch files, separator."""

    name: str
    root: str
    etc: str
    tmp: str
    separator: str
    variables_without_meaning: frozenset[str] = frozenset()


LINUX = Platform("linux", "/opt", "/etc", "/tmp", ":")  # noqa: S108 - a farm machine's, not ours
WINDOWS = Platform("windows", "C:/opt", "C:/etc", "C:/tmp", ";", frozenset({"LD_LIBRARY_PATH"}))


@dataclass(frozen=True)
class Release:
    """One package to be: a version of a product on a platform, for one version of its host if it is a plug-in.

    `version` and `host_version` are as the table writes them. `witness` is who says that there is such a package.
    """

    product: Mapping[str, Any]
    platform: Platform
    version: str
    host_version: str
    witness: str

    @property
    def name(self) -> str:
        """The product."""
        return str(self.product["product"])

    @property
    def known_as(self) -> str:
        """What plug-ins call the product: `maya` for maya-io."""
        return str(self.product.get("known_as", self.name))

    @property
    def host(self) -> str:
        """What the plug-in calls its host; empty for a host application."""
        return str(self.product.get("host", ""))

    @cached_property
    def parts(self) -> list[str]:
        """The version parts that there are."""
        return versions.parts(self.version)

    @cached_property
    def package_id(self) -> str:
        """The id that the table gives, else the md5 of the installer's name."""
        given: Mapping[str, str] = self.product.get("ids", {})
        return (
            given.get(self.version) or hashlib.md5(self.installer.encode(), usedforsecurity=False).hexdigest()
        )

    @cached_property
    def installer(self) -> str:
        """The name of the file that it is installed from; no two releases share one."""
        usual = (
            "{product}-{version}-{host}{host_version}-{platform}"
            if self.host
            else "{product}-{version}-{platform}"
        )
        template = self.product.get("installer", f"{usual}.tgz")
        if isinstance(template, Mapping):
            template = versions.at(self.version, template)
        return str(template).format_map(self.fields)

    @cached_property
    def folder(self) -> str:
        """Where it is installed below the software root, VENDOR/PRODUCT/MAJOR/DIR; no two releases share one."""
        usual = "{product}-{host}{host_version}-{version}" if self.host else "{product}{version}"
        name = str(self.product.get("folder", usual)).format_map(self.fields)
        if self.platform is not LINUX:
            name += f"-{self.platform.name}"
        return f"{self.product['vendor']}/{self.name}/{self.parts[0]}/{name}"

    @property
    def path(self) -> str:
        """The absolute folder."""
        return f"{self.platform.root}/{self.folder}"

    @cached_property
    def fields(self) -> dict[str, str]:
        """What the table's templates of names can hold."""
        major, minor, release, *_ = (
            [*self.parts, "", ""] if len(self.parts) > 1 else [*self.parts, "", "", ""]
        )
        version, host_version = versions.written(self.version), versions.written(self.host_version)
        number = _DIGITS.search(minor)
        return {
            "product": self.name,
            "platform": self.platform.name,
            "root": self.platform.root,
            "version": version,
            "short": version.removesuffix(".0"),
            "major": major,
            "minor": minor,
            "release": release,
            "number": number.group() if number else "",
            "joined": f"{major}{minor}{release}",
            "host": self.host,
            "host_version": host_version,
            "host_digits": host_version.replace(".", ""),
            "host_name": host_version.replace(".", "_"),
        }


def releases(product: Mapping[str, Any]) -> list[Release]:
    """All that the table has of one product: linux before windows, then by version of the host, then by version.

    Raises CatalogError for versions under those of a host that the product does not name, or beside one that it names.
    """
    found = [
        Release(product, platform, version, host_version, witness)
        for platform in (LINUX, WINDOWS)
        for witness, told in product["versions"].get(platform.name, {}).items()
        for host_version, version in _told(product, told)
    ]
    platforms = (LINUX, WINDOWS)
    return sorted(
        found,
        key=lambda each: (
            platforms.index(each.platform),
            versions.order(each.host_version),
            versions.order(each.version),
        ),
    )


def told_by(witness: str, products: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of a table with nothing but the versions that one witness told of; those without any are left out."""
    told = [
        {
            **product,
            "versions": {
                platform: {witness: by[witness]}
                for platform, by in product["versions"].items()
                if witness in by
            },
        }
        for product in products
    ]
    return [product for product in told if product["versions"]]


def _told(product: Mapping[str, Any], told: str | Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What one witness told: versions of a host, or of a plug-in by the versions of its host."""
    if isinstance(told, str) == ("host" in product):
        raise CatalogError(
            f"{product['product']} has a host and no versions of it"
            if "host" in product
            else f"{product['product']} stands under versions of a host, and names none"
        )
    if isinstance(told, str):
        yield from (("", version) for version in told.split())
        return
    for host_versions, plugin_versions in told.items():
        for host_version in host_versions.split():
            yield from ((host_version, version) for version in plugin_versions.split())
