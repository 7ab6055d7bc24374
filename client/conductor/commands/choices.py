"""``conductor projects`` and ``conductor instance-types``: what a submission can name."""

from __future__ import annotations

import click

from conductor.commands.common import json_option, print_records
from conductor.commands.tables import Column


@click.command()
@click.option("--all", "every", is_flag=True, help="Also those that are not active.")
@json_option
def projects(every: bool, as_json: bool) -> None:
    """List the projects that a job can belong to."""
    from conductor.lib.api_client import ApiClient

    with ApiClient() as client:
        records = client.list_projects(() if every else ("active",))
    print_records(records, (Column("name", cut=True), Column("status", coloured=True)), as_json)


@click.command("instance-types")
@click.option(
    "--filter", "filter_text", default="", help="Such as 'cores=gte:8:int,operating_system=ne:windows'."
)
@json_option
def instance_types(filter_text: str, as_json: bool) -> None:
    """List the machines that tasks can run on."""
    from conductor.lib.api_client import request_instance_types

    columns = (
        Column("name"),
        Column("cores", right=True),
        Column("memory", right=True),
        Column("operating_system", heading="system"),
        Column("description", cut=True),
    )
    print_records(request_instance_types(filter_text), columns, as_json)
