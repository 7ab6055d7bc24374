"""From the compact table (`default.yaml`) to the catalogue document.

Which packages there are, and how they are called, says `releases`; here they become records and are linked. Dates and
build numbers follow from the rest: the same table always gives the same bytes. Every scalar of a table comes as text;
the few numbers are made here and in `instances`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from conductor_mock.catalog import versions
from conductor_mock.catalog.instances import instance_types
from conductor_mock.catalog.model import WRITTEN_LICENSES
from conductor_mock.catalog.package_rules import VERSION_PARTS
from conductor_mock.catalog.problems import CatalogError
from conductor_mock.catalog.releases import LINUX, Platform, Release, releases

Record = dict[str, Any]

FIRST_RELEASE = datetime(2017, 3, 1, 8, 0, tzinfo=timezone.utc)
LAST_RELEASE = datetime(2025, 9, 1, 8, 0, tzinfo=timezone.utc)


def build(table: Mapping[str, Any]) -> Record:
    """Expand a whole table into a catalogue document.

    Raises CatalogError for a plug-in that no host above it in the table takes, and for a package that is there twice.
    """
    products = products_of(table)
    return {
        "packages": _packages(products),
        "projects": [_project(name, status) for name, status in table["projects"].items()],
        "instance_types": instance_types(table["instance_types"], table["gpus"]),
        "env_vars_configs": _variables(table["env_vars"], LINUX, {}),
        WRITTEN_LICENSES: {product["product"]: int(product["license"]) for product in products},
    }


def products_of(table: Mapping[str, Any]) -> list[Record]:
    """The products of a table, each with one name: those that differ in nothing else share an entry."""
    return [{**entry, "product": name} for entry in table["products"] for name in entry["product"].split()]


def _packages(products: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The packages in the order of the table, linked both ways; a plug-in may be the host of another."""
    records: dict[str, Record] = {}
    hosts: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for product in products:
        found = releases(product)
        order = sorted({release.version for release in found}, key=versions.order)
        for release in found:
            taken_by = _hosts(release, hosts)
            package_id = release.package_id
            if package_id in records:
                raise CatalogError(f"{release.installer} is twice in the table")
            records[package_id] = _package(
                release, taken_by, order.index(release.version) + 1, len(order) + 1
            )
            for host in taken_by:
                records[host]["plugins"].append(package_id)
        for release in found:
            known = hosts.setdefault((release.known_as, release.platform.name), [])
            known.append((release.parts[0], release.package_id))
    return list(records.values())


def _hosts(release: Release, hosts: Mapping[tuple[str, str], list[tuple[str, str]]]) -> list[str]:
    """The ids of the hosts that take a plug-in: the same platform, the major version that it names (`versions`)."""
    if not release.host:
        return []
    candidates = hosts.get((release.host, release.platform.name), [])
    wanted = versions.host_major(versions.written(release.host_version), {major for major, _ in candidates})
    found = [each for major, each in candidates if major == wanted]
    if not found and release.host_version not in release.product.get("without_host", "").split():
        host = f"{release.host} {release.host_version} {release.platform.name}"
        raise CatalogError(f"{release.name} is for {host}, which is not above it in the table")
    return found


def _package(release: Release, hosts: list[str], place: int, places: int) -> Record:
    """The record of wire reference 2.1; `place` of `places` puts its date between the first and the last one."""
    package_id, product = release.package_id, release.product
    digest = int(package_id, 16)
    created = (
        FIRST_RELEASE + (LAST_RELEASE - FIRST_RELEASE) // places * place + timedelta(seconds=digest % 36_000)
    )
    updated = created + timedelta(days=digest % 90)
    updated_text = format_datetime(updated, usegmt=True)
    version, host_version = versions.written(release.version), versions.written(release.host_version)
    fields = {
        **release.fields,
        "path": release.path,
        "etc": release.platform.etc,
        "tmp": release.platform.tmp,
    }
    return {
        "package_id": package_id,
        "product": release.name,
        "platform": release.platform.name,
        **dict(zip(VERSION_PARTS, [*release.parts, "", "", ""], strict=False)),
        "plugin_host_product": release.host,
        "plugin_host_version": host_version,
        "plugin_hosts": hosts,
        "plugins": [],
        "environment": _variables(product.get("environment", {}), release.platform, fields),
        "relative_path": release.folder,
        "path": release.path,
        "package": release.installer,
        "vendor": product["vendor"],
        "description": f"{product['title']} {version}"
        + (f" for {release.host} {host_version}" if release.host else ""),
        "build_id": f"b-{package_id[:8]}",
        "time_created": format_datetime(created, usegmt=True),
        "time_updated": updated_text,
        "updated_at": updated_text,
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
