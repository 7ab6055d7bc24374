"""The packages of the catalogue as a tree: products, their versions, what plugs into them."""

from __future__ import annotations

from typing import Any

from conductor_mock.catalog.package_rules import display_version
from conductor_mock.dashboard.shown import account_name, chosen_values, offered, show
from conductor_mock.errors import not_found

Record = dict[str, Any]


def packages() -> str:
    """Every product with its versions; with `text` those whose name has it."""
    query = chosen_values("text")
    text = query.get("text", "").casefold()
    products: dict[str, list[Record]] = {}
    for record in offered().packages:
        if text in named(record).casefold():
            products.setdefault(record["product"], []).append(record)
    tree = [
        {
            "product": product,
            "plugs_into": sorted({one.get("plugin_host_product") or "" for one in records} - {""}),
            "versions": [_leaf(one) for one in records],
        }
        for product, records in sorted(products.items())
    ]
    hosts = [one for one in tree if not one["plugs_into"]]
    plugins = [one for one in tree if one["plugs_into"]]
    return show(
        "packages.html",
        account=account_name(),
        area="/packages",
        groups=(("Hosts and tools", hosts), ("Plug-ins", plugins)),
        query=query,
        is_open=bool(text),
    )


def package(package_id: str) -> str:
    """One package: its record, its environment, its plug-ins. Refuses (404) one that there is not."""
    catalog = offered()
    record = catalog.package(package_id)
    if record is None:
        raise not_found(f"there is no package {package_id[:80]!r} in the catalogue of this account")
    linked = {
        kind: [_leaf(other) for one in record.get(kind) or () if (other := catalog.package(one)) is not None]
        for kind in ("plugins", "plugin_hosts")
    }
    simple = [
        (name, value)
        for name, value in record.items()
        if isinstance(value, (str, int, float)) and value != ""
    ]
    return show(
        "package.html",
        account=account_name(),
        area="/packages",
        name=named(record),
        facts=simple,
        environment=record.get("environment") or (),
        plugins=linked["plugins"],
        plugin_hosts=linked["plugin_hosts"],
    )


def named(record: Record) -> str:
    """Product, version and platform."""
    return f"{record['product']} {display_version(record)} {record.get('platform') or ''}".strip()


def _leaf(record: Record) -> Record:
    return {
        "id": record["package_id"],
        "name": named(record),
        "version": display_version(record),
        "platform": record.get("platform") or "",
        "plugins": len(record.get("plugins") or ()),
    }
