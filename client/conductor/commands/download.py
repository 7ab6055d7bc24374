"""``conductor download``: the outputs of jobs, onto this disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conductor.commands.common import json_option, print_json
from conductor.commands.transfer_progress import shown_progress, size_text

if TYPE_CHECKING:
    from conductor.lib.api_client import ApiClient
    from conductor.lib.download.plan import Selection
    from conductor.lib.download.report import DownloadReport
    from conductor.lib.downloader import Downloader

Command = TypeVar("Command", bound=Callable[..., Any])


def download_options(command: Command) -> Command:
    """Give a command the options that say how to download; ``make_downloader`` takes their values."""
    options = (
        click.option(
            "-o",
            "--destination",
            "--output-path",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Put files into DIR/JOB; by default into each job's own output path.",
        ),
        click.option("-r", "--regex", metavar="TEXT", help="Only files in whose path this is found."),
        click.option(
            "--overwrite",
            type=click.Choice(["changed", "always", "never"]),
            default="changed",
            show_default=True,
            help="Replace a file that is there: if its md5 differs, always, or never.",
        ),
        click.option("-f", "--force", is_flag=True, help="The same as --overwrite always."),
        click.option(
            "--any-name",
            is_flag=True,
            help="Also take names that only this system can hold (NUL, 'a.', names that differ in case).",
        ),
        click.option(
            "--no-report",
            "--disable-reporting",
            "no_report",
            is_flag=True,
            help="Do not tell the service what was downloaded.",
        ),
        click.option(
            "--thread-count", type=click.IntRange(1, 256), metavar="N", help="Files fetched side by side."
        ),
        click.option("--page-size", type=click.IntRange(1), metavar="N", help="Tasks asked for at once; 50."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB[:TASKS]]...")
@click.option(
    "-t", "--task-id", "task_ids", multiple=True, metavar="TASKS", help="Only these, such as 3,7-9."
)
@click.option("--location", metavar="NAME", help="Without a job: only outputs of jobs of this location.")
@download_options
@json_option
def download(
    jobs: tuple[str, ...], task_ids: tuple[str, ...], location: str | None, as_json: bool, **how: Any
) -> None:
    """Download what the completed tasks of jobs left.

    A job is its id, perhaps with tasks: 00012, 12:1-5,8. Files that are there already are not fetched again, and
    what was cut off is continued. Without a job this runs until it is stopped, as 'conductor downloader' does.
    """
    if not jobs:
        from conductor.commands.daemons import run_downloader

        if task_ids:
            raise click.UsageError("--task-id needs a job.")
        run_downloader(location, how)
        return
    fetch_jobs(jobs, task_ids, how, as_json=as_json)


def fetch_jobs(
    jobs: tuple[str, ...], task_ids: tuple[str, ...], how: dict[str, Any], *, as_json: bool
) -> None:
    """Download these jobs and end with the exit code that says how it went."""
    selections = _selections(jobs, task_ids)
    with client_for(how) as client, shown_progress("downloading", wanted=not as_json) as progress:
        report = make_downloader(client, how).download(selections, progress=progress)
    for result in report.problems:
        click.echo(f"conductor: {result}", err=True)
    for error in report.errors:
        click.echo(f"conductor: {error}", err=True)
    if as_json:
        print_json(as_record(report))
    else:
        click.echo(summary(report))
        if not report.files and not report.errors:
            click.echo(
                "no output fits --regex" if how["regex"] else "these tasks have no outputs yet", err=True
            )
    if not report.complete:
        sys.exit(1 if report.problems else report.errors[0].exit_code)


def _selections(jobs: tuple[str, ...], task_ids: tuple[str, ...]) -> list[Selection]:
    from conductor.lib.download.plan import Selection, parse_task_ids

    selections = [Selection.parse(job) for job in jobs]
    if not task_ids:
        return selections
    if any(one.task_ids is not None for one in selections):
        raise click.UsageError("Name tasks by --task-id or behind the job's id, not both.")
    tasks = parse_task_ids(task_ids)
    return [Selection(one.job_id, tasks) for one in selections]


def client_for(how: dict[str, Any]) -> ApiClient:
    """Return a client with the settings of file and environment, and the threads that an option asked for."""
    from conductor.lib.api_client import ApiClient
    from conductor.lib.config import Config

    return ApiClient(Config.load(thread_count=how["thread_count"]))


def make_downloader(client: ApiClient, how: dict[str, Any]) -> Downloader:
    """Return a downloader as the options of ``download_options`` ask for."""
    from conductor.lib.download.plan import Overwrite
    from conductor.lib.download.records import PAGE_TASKS
    from conductor.lib.downloader import Downloader
    from conductor.lib.md5_cache import Md5Cache, default_path

    return Downloader(
        client,
        destination=how["destination"],
        regex=how["regex"],
        overwrite=Overwrite.ALWAYS if how["force"] else Overwrite(how["overwrite"]),
        portable_names=not how["any_name"],
        report=not how["no_report"],
        cache=Md5Cache(default_path()),
        page_size=how["page_size"] or PAGE_TASKS,
    )


def summary(report: DownloadReport) -> str:
    """Return what a download did, in one line."""
    counts = (
        f"{report.fetched} files fetched ({size_text(report.bytes_received)}), {report.kept} already there"
    )
    return counts + (f", {len(report.problems)} not downloaded" if report.problems else "")


def as_record(report: DownloadReport) -> dict[str, Any]:
    """Return what a download did, as ``--json`` prints it."""
    return {
        "files": [
            {
                "job_id": result.file.job_id,
                "task_id": result.file.task_id,
                "relative_path": result.file.relative_path,
                "path": result.path,
                "size": result.file.size,
                "md5": result.file.md5,
                "status": result.status.value,
                "reason": result.reason,
            }
            for result in report.files
        ],
        "fetched": report.fetched,
        "kept": report.kept,
        "not_downloaded": len(report.problems),
        "bytes_received": report.bytes_received,
        "errors": [str(error) for error in report.errors],
    }
