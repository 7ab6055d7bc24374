"""``conductor submit``: a job from options, from a file, or from both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from conductor.commands.common import LocalPath, json_option, print_json
from conductor.commands.job_file import read_job_file
from conductor.commands.job_options import argument_options, from_options
from conductor.commands.printing import echo
from conductor.commands.transfer_progress import shown_progress
from conductor.lib.submission.arguments import BY_NAME


@click.command()
@click.option("--file", "job_file", type=LocalPath(), help="Arguments of the job, as JSON or YAML.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@argument_options
@json_option
def submit(job_file: Path | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Upload a job's files and submit it. Options win over the file.

    A relative path of --upload-paths is one of the current directory.
    """
    from conductor.lib.conductor_submit import Submit

    arguments = _arguments(job_file, options)
    if dry_run:
        echo(json.dumps(Submit(arguments).payload(), indent=None if as_json else 2), raw=True)
        return
    with shown_progress("uploading", enabled=not as_json) as progress:
        response, status = Submit(arguments, progress=progress).main()
    if as_json:
        print_json({"status_code": status, "response": response})
    elif response.get("jobid"):
        echo(f"submitted job {response['jobid']} ({status})")
    else:
        echo(f"{response.get('message', 'submitted')} ({status})")


def _arguments(job_file: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of file and options; an option sets aside every spelling of its argument in the file."""
    given = from_options(options)
    stated = read_job_file(job_file) if job_file else {}
    left = {
        name: value
        for name, value in stated.items()
        if name not in BY_NAME or BY_NAME[name].name not in given
    }
    return {**left, **given}
