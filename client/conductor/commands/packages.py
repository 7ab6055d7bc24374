"""``conductor packages``: the software that tasks can have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from conductor.commands.common import json_option, print_json, print_records
from conductor.commands.printing import echo
from conductor.commands.tables import Column, printable

if TYPE_CHECKING:
    from conductor.lib.package_tree import Branch, PackageTree

_COLUMNS = (
    Column("package_id"),
    Column("product", cut=True),
    Column("version"),
    Column("platform"),
    Column("relative_path", heading="path", wide=110, cut=True),
)


@click.command()
@click.option("--product", "products", multiple=True, help="Only this product; may be repeated.")
@click.option(
    "--platform",
    "platforms",
    type=click.Choice(["linux", "windows"]),
    multiple=True,
    help="Only for this platform; may be repeated.",
)
@click.option("--tree", "form", flag_value="tree", help="Hosts, and below each its plugins.")
@click.option("--markdown", "form", flag_value="markdown", help="The tree as a Markdown document.")
@json_option
def packages(products: tuple[str, ...], platforms: tuple[str, ...], form: str | None, as_json: bool) -> None:
    """List the software packages, with the ids that a submission names.

    With --tree or --markdown, one product alone may be a plugin, and --json prints the tree.
    """
    from conductor.lib.api_client import request_software_packages
    from conductor.lib.package_tree import PLATFORMS, Package, PackageTree

    records = request_software_packages()
    accepted = platforms or PLATFORMS
    if form:
        _print_tree(PackageTree(records, products=products, platforms=accepted), form, as_json)
        return
    chosen = [
        package
        for package in map(Package.from_record, records)
        if (not products or package.product in products) and (not platforms or package.platform in platforms)
    ]
    chosen.sort(key=lambda package: package.order)
    rows = (
        {
            "package_id": package.package_id,
            "product": package.product,
            "version": package.version,
            "platform": package.platform,
            "relative_path": package.record.get("relative_path"),
        }
        for package in chosen
    )
    print_records((package.record for package in chosen) if as_json else rows, _COLUMNS, as_json)


def _print_tree(tree: PackageTree, form: str, as_json: bool) -> None:
    if as_json:
        print_json(tree.as_records())
        return
    for line in _markdown(tree) if form == "markdown" else _branches(tree.roots, ""):
        echo(line, raw=True)  # labels were made printable one by one


def _branches(branches: Iterable[Branch], indent: str) -> Iterator[str]:
    for branch in branches:
        yield f"{indent}{printable(branch.package.label)}  {branch.package.package_id}"
        yield from _branches(branch.plugins, f"{indent}  ")


def _markdown(tree: PackageTree) -> Iterator[str]:
    yield "# Software"
    for root in tree.roots:
        yield f"\n## {printable(root.package.label)}\n\n`{root.package.package_id}`"
        if root.plugins:
            yield "\n| plugin | version | platform | package id |\n|---|---|---|---|"
        for branch in list(root.walk())[1:]:
            package = branch.package
            cells = (package.product, package.version, package.platform, f"`{package.package_id}`")
            yield "| " + " | ".join(printable(cell).replace("|", "\\|") for cell in cells) + " |"
