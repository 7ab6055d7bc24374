"""From the compact table (`default.yaml`) to the catalogue document.

A product in the table stands for a package per version, platform and, for a plugin, host version. Ids are
hashes of exactly that, so they stay when the table grows; a few that are documented elsewhere are given.
Dates, build numbers and folders follow from the rest: the same table always gives the same bytes.
Every scalar of a table comes as text; the few numbers are made here and in `instances`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from conductor_mock.catalog.instances import instance_types
from conductor_mock.catalog.model import WRITTEN_LICENSES
from conductor_mock.catalog.package_rules import VERSION_PARTS
from conductor_mock.catalog.problems import CatalogError

Record = dict[str, Any]

FIRST_RELEASE = datetime(2017, 3, 1, 8, 0, tzinfo=timezone.utc)
LAST_RELEASE = datetime(2025, 9, 1, 8, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Platform:
    """How paths are written on a platform: software root, folders of settings and of scratch files, separator."""

    name: str
    root: str
    etc: str
    tmp: str
    separator: str
    archive: str
    variables_without_meaning: frozenset[str] = frozenset()


LINUX = Platform("linux", "/opt", "/etc", "/tmp", ":", "tgz")  # noqa: S108 - a farm machine's, not ours
WINDOWS = Platform("windows", "C:/opt", "C:/etc", "C:/tmp", ";", "zip", frozenset({"LD_LIBRARY_PATH"}))


@dataclass(frozen=True)
class Release:
    """One package to be: a version of a product, on a platform, for one version of its host if it has one."""

    product: Mapping[str, Any]
    version: str
    platform: Platform
    host: Release | None = None

    @property
    def name(self) -> str:
        """The product's name."""
        return str(self.product["product"])

    @property
    def key(self) -> tuple[str, str, str]:
        """What a plugin names its host by."""
        return self.name, self.version, self.platform.name

    @property
    def package_id(self) -> str:
        """The id that the table gives, else the md5 of what tells this package from all others."""
        documented: Mapping[str, str] = self.product.get("ids", {})
        if (given := documented.get(f"{self.platform.name} {self.version}")) is not None:
            return given
        identity = "\n".join((*self.key, self.host.package_id if self.host else ""))
        return hashlib.md5(identity.encode(), usedforsecurity=False).hexdigest()

    @property
    def folder(self) -> str:
        """Where it is installed below the software root, VENDOR/PRODUCT/MAJOR/DIR; no two releases share one."""
        name = f"{self.name}-{self.version}"
        if self.host:
            name += f"-{self.host.name}{self.host.version}"
        if self.platform is not LINUX:
            name += f"-{self.platform.name}"
        return f"{self.product['vendor']}/{self.name}/{self.major}/{name}"

    @property
    def path(self) -> str:
        """The absolute folder."""
        return f"{self.platform.root}/{self.folder}"

    @property
    def major(self) -> str:
        """The first version part."""
        return self.version.partition(".")[0]


def build(table: Mapping[str, Any]) -> Record:
    """Expand a whole table into a catalogue document.

    Raises CatalogError where a plugin is for a host version that the table does not have.
    """
    return {
        "packages": _packages(table["products"]),
        "projects": [_project(name, status) for name, status in table["projects"].items()],
        "instance_types": instance_types(table["instance_types"], table["gpus"]),
        "env_vars_configs": _variables(table["env_vars"], LINUX, {}),
        WRITTEN_LICENSES: {product["product"]: int(_license(product)) for product in table["products"]},
    }


def _license(product: Mapping[str, Any]) -> str:
    """What an hour of a product costs; tables of before spell it `licence`."""
    return str(product["license"] if "license" in product else product["licence"])


def _packages(products: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The packages in the order of the table, linked both ways."""
    hosts: dict[tuple[str, str, str], Release] = {}
    records: dict[str, Record] = {}
    for product in products:
        releases = list(_releases(product, hosts))
        hosts |= {release.key: release for release in releases if release.host is None}
        order = list(dict.fromkeys(release.version for release in releases))
        for release in releases:
            records[release.package_id] = _package(release, order.index(release.version) + 1, len(order) + 1)
            if release.host:
                records[release.host.package_id]["plugins"].append(release.package_id)
    return list(records.values())


def _releases(product: Mapping[str, Any], hosts: Mapping[tuple[str, str, str], Release]) -> Iterator[Release]:
    for platform in (LINUX, WINDOWS):
        versions = product["versions"].get(platform.name, {})
        if isinstance(versions, str):
            yield from (Release(product, version, platform) for version in versions.split())
            continue
        for host_versions, plugin_versions in versions.items():
            for host_version in host_versions.split():
                host = hosts.get((product["host"], host_version, platform.name))
                if host is None:
                    wanted = f"{product['host']} {host_version} {platform.name}"
                    raise CatalogError(
                        f"{product['product']} is for {wanted}, which is not above it in the table"
                    )
                yield from (Release(product, each, platform, host) for each in plugin_versions.split())


def _package(release: Release, place: int, places: int) -> Record:
    """The record of wire reference 2.1; `place` of `places` puts its date between the first and the last one."""
    package_id, host, product = release.package_id, release.host, release.product
    digest = int(package_id, 16)
    created = (
        FIRST_RELEASE + (LAST_RELEASE - FIRST_RELEASE) // places * place + timedelta(seconds=digest % 36_000)
    )
    updated = created + timedelta(days=digest % 90)
    parts = [*release.version.split("."), "", "", ""][: len(VERSION_PARTS)]
    fields = {
        "path": release.path,
        "major": release.major,
        "etc": release.platform.etc,
        "tmp": release.platform.tmp,
        "host_path": host.path if host else "",
        "host_major": host.major if host else "",
    }
    return {
        "package_id": package_id,
        "product": release.name,
        "platform": release.platform.name,
        **dict(zip(VERSION_PARTS, parts, strict=True)),
        "plugin_host_product": host.name if host else "",
        "plugin_host_version": host.version if host else "",
        "plugin_hosts": [host.package_id] if host else [],
        "plugins": [],
        "environment": _variables(product.get("environment", {}), release.platform, fields),
        "relative_path": release.folder,
        "path": release.path,
        "package": f"{release.folder.rpartition('/')[2]}.{release.platform.archive}",
        "vendor": product["vendor"],
        "description": f"{product['title']} {release.version}"
        + (f" for {host.name} {host.version}" if host else ""),
        "build_id": f"b-{package_id[:8]}",
        "time_created": format_datetime(created, usegmt=True),
        "time_updated": format_datetime(updated, usegmt=True),
        "updated_at": format_datetime(updated, usegmt=True),
    }


def _variables(
    policies: Mapping[str, Mapping[str, str | list[str]]], platform: Platform, fields: Mapping[str, str]
) -> list[Record]:
    """Variables in the order of the table, which lists them by merge policy; a list of folders is joined."""
    return [
        {"name": name, "value": _value(value, platform, fields), "merge_policy": policy}
        for policy, variables in policies.items()
        for name, value in ((template.format_map(fields), value) for template, value in variables.items())
        if name not in platform.variables_without_meaning
    ]


def _value(value: str | list[str], platform: Platform, fields: Mapping[str, str]) -> str:
    folders = [value] if isinstance(value, str) else value
    return platform.separator.join(folder.format_map(fields) for folder in folders)


def _project(name: str, status: str) -> Record:
    """The record of wire reference 2.2; ids look like those of the live service, long decimal numbers."""
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return {"id": str(10**15 + int(digest, 16) % (9 * 10**15)), "name": name, "status": status}
