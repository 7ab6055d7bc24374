"""``conductor download``: the outputs of jobs, onto this disk."""

from __future__ import annotations

from typing import Any

import click

from conductor.commands.common import json_option
from conductor.commands.daemon_run import run_downloader
from conductor.commands.downloading import DownloadOptions, download_options, fetch_jobs


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB[:TASKS]]...")
@click.option(
    "-t", "--task-id", "task_ids", multiple=True, metavar="TASKS", help="Only these, such as 3,7-9."
)
@click.option("--location", metavar="NAME", help="Without a job: only outputs of jobs of this location.")
@download_options
@json_option
def download(
    jobs: tuple[str, ...], task_ids: tuple[str, ...], location: str | None, as_json: bool, **options: Any
) -> None:
    """Download the outputs of completed tasks.

    A job is its id, perhaps with tasks: 00012, 12:1-5,8. Files that are there already are not fetched again, and
    what was cut off is continued. Without a job this runs until it is stopped, as 'conductor downloader' does.
    """
    if jobs:
        fetch_jobs(jobs, task_ids, DownloadOptions(**options), as_json=as_json)
        return
    if task_ids:
        raise click.UsageError("--task-id needs a job.")
    run_downloader(location, DownloadOptions(**options))
