"""``conductor submit``: a job from options, from a file, or from both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conductor.commands.common import json_option, print_json
from conductor.commands.job_file import read_job_file
from conductor.commands.job_options import argument_options, from_options


@click.command()
@click.option(
    "--file", "job_file", type=click.Path(path_type=Path), help="Arguments of the job, as JSON or YAML."
)
@argument_options
@json_option
def submit(job_file: Path | None, as_json: bool, **options: Any) -> None:
    """Upload a job's files and submit it. Options win over the file."""
    from conductor.lib.conductor_submit import Submit

    args = {**(read_job_file(job_file) if job_file else {}), **from_options(options)}
    submission = Submit(args)
    response, status = submission.main()
    if as_json:
        print_json({"status_code": status, "response": response})
    elif response.get("jobid"):
        click.echo(f"submitted job {response['jobid']} ({status})")
    else:
        click.echo(f"{response.get('message', 'submitted')} ({status})")
