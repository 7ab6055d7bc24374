"""``conductor packages``: the software that tasks can have."""

from __future__ import annotations

import click

from conductor.commands.common import json_option, print_records


@click.command()
@json_option
def packages(as_json: bool) -> None:
    """List the software packages, with the ids that a submission names."""
    from conductor.lib.api_client import request_software_packages

    records = sorted(request_software_packages(), key=lambda record: str(record.get("relative_path", "")))
    print_records(records, ("package_id", "relative_path", "platform"), as_json)
