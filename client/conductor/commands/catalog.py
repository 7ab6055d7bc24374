"""``conductor catalog``: what an account can choose from, as a file for the fake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from conductor.commands.common import LocalPath, json_option, print_json, write_file
from conductor.commands.groups import NearGroup
from conductor.commands.printing import echo
from conductor.lib.exceptions import InvalidPathError


@click.group(cls=NearGroup)
def catalog() -> None:
    """Export an account's packages, projects, machines and environment."""


@catalog.command()
@click.argument("file", type=LocalPath(allow_dash=True))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@json_option
def export(file: Path, force: bool, as_json: bool) -> None:
    """Write a catalogue that conductor-mock serve --catalog FILE takes.

    JSON if the name ends in .json, else YAML; - writes JSON to the standard output. The account's environment is part
    of it, with whatever secrets it holds: look before you pass the file on.
    """
    from conductor.lib.catalog_export import export_catalog

    to_output = str(file) == "-"
    if not to_output and file.exists() and not force:
        raise InvalidPathError(f"{file} is there already; --force replaces it")
    document = export_catalog()
    if to_output:
        print_json(document)
        return
    write_file(file, _text(document, file).encode())
    counts = {name: len(records) for name, records in document.items()}
    if as_json:
        print_json({"file": str(file), **counts})
    else:
        listed = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        echo(f"wrote {file}: {listed}")


def _text(document: dict[str, Any], file: Path) -> str:
    if file.suffix.lower() == ".json":
        return json.dumps(document, indent=1) + "\n"
    import yaml

    # The one that uses libyaml, where PyYAML was built with it, is ten times as fast. The other writes U+0085 as a
    # space, unless all that is not ASCII is escaped.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    unescaped = dumper is not yaml.SafeDumper
    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=unescaped))
