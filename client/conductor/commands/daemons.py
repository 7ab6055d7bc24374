"""``conductor downloader`` and ``conductor uploader``: what runs on a machine of the site, until it is stopped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from conductor.commands.daemon_run import at_work, daemon_options, logger, run_downloader, running
from conductor.commands.downloading import DownloadOptions, client_for, download_options, fetch_jobs
from conductor.commands.transfer_progress import size_text

if TYPE_CHECKING:
    from conductor.lib.daemons.uploader import UploadOutcome


@click.command()
@click.option(
    "-j", "--job-id", "--job_id", "jobs", multiple=True, metavar="JOB", help="Download this job, and end."
)
@click.option(
    "-t", "--task-id", "--task_id", "task_ids", multiple=True, metavar="TASKS", help="Only these of it."
)
@daemon_options
@download_options
def downloader(
    jobs: tuple[str, ...],
    task_ids: tuple[str, ...],
    location: str | None,
    once: bool,
    max_idle: float | None,
    log_format: str,
    **options: Any,
) -> None:
    """Download outputs as tasks complete, until stopped by Ctrl-C or SIGTERM.

    What is not complete then goes back to the service. With --job-id that job is downloaded instead, as by
    'conductor download'.
    """
    how = DownloadOptions(**options)
    if jobs:
        fetch_jobs(tuple(job for text in jobs for job in text.split(",")), task_ids, how, as_json=False)
        return
    if task_ids:
        raise click.UsageError("--task-id needs --job-id.")
    run_downloader(location, how, once=once, max_idle=max_idle, log_format=log_format)


@click.command()
@click.option(
    "-p", "--paths", multiple=True, metavar="PATH", help="Upload these, and end (as 'conductor upload')."
)
@daemon_options
@click.option(
    "--fail-on-stop",
    is_flag=True,
    help="When stopped in the middle of an upload, fail its job instead of leaving it to other daemons.",
)
@click.option("--thread-count", type=click.IntRange(1, 256), metavar="N", help="Files sent side by side.")
@click.pass_context
def uploader(
    ctx: click.Context,
    paths: tuple[str, ...],
    location: str | None,
    once: bool,
    max_idle: float | None,
    log_format: str,
    fail_on_stop: bool,
    thread_count: int | None,
) -> None:
    """Upload the files of jobs that were submitted without them, until stopped by Ctrl-C or SIGTERM."""
    if paths:
        from conductor.commands.upload import upload

        ctx.invoke(upload, paths=paths, as_json=False)
        return
    from conductor.lib.daemons.loop import Daemon, Pace
    from conductor.lib.daemons.uploader import UploaderDaemon
    from conductor.lib.md5_cache import configured_cache

    failed = 0

    def note(outcome: UploadOutcome) -> None:
        nonlocal failed
        fields: dict[str, Any] = {"event": "upload", "upload_id": outcome.upload.id}
        if outcome.report is None:
            failed += 1
            logger.error("upload %s failed: %s", outcome.upload.id, outcome.error, extra={"fields": fields})
            return
        report = outcome.report
        fields.update(sent=len(report.sent), kept=report.skipped, bytes_sent=report.bytes_sent)
        counts = (
            f"{len(report.sent)} files sent ({size_text(report.bytes_sent)}), {report.skipped} already there"
        )
        logger.info("upload %s: %s", outcome.upload.id, counts, extra={"fields": fields})

    with (
        running("uploader", location, log_format) as (cancellation, show),
        client_for(thread_count) as client,
    ):
        work = UploaderDaemon(
            client,
            cancellation,
            location=location,
            cache=configured_cache(client.config),
            fail_on_stop=fail_on_stop,
            progress=lambda progress: show(at_work("uploading", progress)),
            on_outcome=note,
        )
        try:
            daemon = Daemon(work.work, cancellation, pace=Pace(idle=10.0), on_status=show)
            daemon.run(once=once, max_idle=max_idle)
        finally:
            work.close()
    if once and failed:
        sys.exit(1)
