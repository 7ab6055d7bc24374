"""What ``conductor download`` and ``conductor downloader`` share: their options, and fetching jobs that are named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conductor.commands.common import LocalPath, print_json
from conductor.commands.printing import echo
from conductor.commands.transfer_progress import shown_progress, size_text

if TYPE_CHECKING:
    from conductor.lib.api_client import ApiClient
    from conductor.lib.download.plan import Selection
    from conductor.lib.download.report import DownloadReport
    from conductor.lib.downloader import Downloader

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class DownloadOptions:
    """The values of ``download_options``."""

    destination: Path | None
    regex: str | None
    overwrite: str
    force: bool
    any_name: bool
    no_report: bool
    thread_count: int | None
    page_size: int | None


def download_options(command: Command) -> Command:
    """Give a command the options that say how to download, whose values ``DownloadOptions`` takes."""
    options = (
        click.option(
            "-o",
            "--destination",
            "--output-path",
            type=LocalPath(),
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


def client_for(thread_count: int | None) -> ApiClient:
    """Return a client with the settings of file and environment, and the threads that an option asked for."""
    from conductor.lib.api_client import ApiClient
    from conductor.lib.config import Config

    return ApiClient(Config.load(thread_count=thread_count))


def make_downloader(client: ApiClient, options: DownloadOptions) -> Downloader:
    """Return a downloader as the options ask for."""
    from conductor.lib.download.plan import Overwrite
    from conductor.lib.download.records import PAGE_TASKS
    from conductor.lib.downloader import Downloader
    from conductor.lib.md5_cache import configured_cache

    return Downloader(
        client,
        destination=options.destination,
        regex=options.regex,
        overwrite=Overwrite.ALWAYS if options.force else Overwrite(options.overwrite),
        portable_names=not options.any_name,
        report=not options.no_report,
        cache=configured_cache(client.config),
        page_size=options.page_size or PAGE_TASKS,
    )


def fetch_jobs(
    jobs: tuple[str, ...], task_ids: tuple[str, ...], options: DownloadOptions, *, as_json: bool
) -> None:
    """Download these jobs and end with the exit code that says how it went."""
    selections = _selections(jobs, task_ids)
    with (
        client_for(options.thread_count) as client,
        shown_progress("downloading", enabled=not as_json) as progress,
    ):
        report = make_downloader(client, options).download(selections, progress=progress)
    for result in report.problems:
        echo(f"conductor: {result}", err=True)
    for error in report.errors:
        echo(f"conductor: {error}", err=True)
    if as_json:
        print_json(as_record(report))
    elif report.files or not report.errors:
        echo(summary(report))
        if not report.files and not report.errors:
            echo("no output fits --regex" if options.regex else "these tasks have no outputs yet", err=True)
    if not report.complete:
        sys.exit(1 if report.problems else report.errors[0].exit_code)


def _selections(jobs: tuple[str, ...], task_ids: tuple[str, ...]) -> list[Selection]:
    from conductor.lib.download.plan import Selection, parse_task_ids

    selections = [Selection.parse(job) for job in jobs]
    if not task_ids:
        return selections
    if any(selection.task_ids is not None for selection in selections):
        raise click.UsageError("Name tasks by --task-id or behind the job's id, not both.")
    tasks = parse_task_ids(task_ids)
    return [Selection(selection.job_id, tasks) for selection in selections]


def summary(report: DownloadReport) -> str:
    """Return what a download did, in one line."""
    files = "file" if report.fetched == 1 else "files"
    counts = (
        f"{report.fetched} {files} fetched ({size_text(report.bytes_received)}), {report.kept} already there"
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
