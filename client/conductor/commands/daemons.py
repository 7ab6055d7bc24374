"""``conductor downloader`` and ``conductor uploader``: what runs on a machine of the site, until it is stopped."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conductor.commands.download import client_for, download_options, fetch_jobs, make_downloader, summary
from conductor.commands.transfer_progress import described, size_text

if TYPE_CHECKING:
    from conductor.lib.cancellation import Cancellation
    from conductor.lib.download.report import DownloadReport
    from conductor.lib.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])

logger = logging.getLogger("conductor.daemon")


def daemon_options(command: Command) -> Command:
    """Give a command the options of both daemons."""
    options = (
        click.option("--location", metavar="NAME", help="Only jobs that were submitted with this location."),
        click.option("--once", is_flag=True, help="End when nothing is left to do."),
        click.option(
            "--max-idle", type=click.FloatRange(0), metavar="SECONDS", help="End when idle for so long."
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="How the log is written to the standard error.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


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
    **how: Any,
) -> None:
    """Download outputs as tasks complete, until stopped by Ctrl-C or SIGTERM.

    What is not complete then goes back to the service. With --job-id that job is downloaded instead, as by
    'conductor download'.
    """
    if jobs:
        fetch_jobs(tuple(job for text in jobs for job in text.split(",")), task_ids, how, as_json=False)
        return
    if task_ids:
        raise click.UsageError("--task-id needs --job-id.")
    run_downloader(location, how, once=once, max_idle=max_idle, log_format=log_format)


def run_downloader(
    location: str | None,
    how: dict[str, Any],
    *,
    once: bool = False,
    max_idle: float | None = None,
    log_format: str = "text",
) -> None:
    """Run the downloader daemon; end with exit code 1 if ``once`` left something undone."""
    from conductor.lib.daemons.downloader import DownloaderDaemon
    from conductor.lib.daemons.loop import Daemon
    from conductor.lib.download.records import PAGE_TASKS

    undone = 0

    def note(report: DownloadReport) -> None:
        nonlocal undone
        undone += len(report.problems) + len(report.errors)
        for result in report.problems:
            logger.error("%s", result, extra={"fields": {"event": "file", "status": result.status.value}})
        fields = {"event": "batch", "fetched": report.fetched, "kept": report.kept}
        fields |= {"not_downloaded": len(report.problems), "bytes_received": report.bytes_received}
        logger.info("%s", summary(report), extra={"fields": fields})

    with _running("downloader", location, log_format) as (cancellation, said), client_for(how) as client:
        work = DownloaderDaemon(
            make_downloader(client, how),
            cancellation,
            location=location,
            count=how["page_size"] or PAGE_TASKS,
            progress=lambda progress: said(_at_work("downloading", progress)),
            on_report=note,
        )
        try:
            Daemon(work.work, cancellation, said=said).run(once=once, max_idle=max_idle)
        finally:
            work.close()
    if once and undone:
        sys.exit(1)


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
    """Bring the files of jobs that were submitted without them, until stopped by Ctrl-C or SIGTERM."""
    if paths:
        from conductor.commands.upload import upload

        ctx.invoke(upload, paths=paths, as_json=False)
        return
    from conductor.lib.daemons.loop import Daemon, Pace
    from conductor.lib.daemons.uploader import Brought, UploaderDaemon
    from conductor.lib.md5_cache import Md5Cache, default_path

    failed = 0

    def note(brought: Brought) -> None:
        nonlocal failed
        fields: dict[str, Any] = {"event": "upload", "upload_id": brought.upload.id}
        if brought.report is None:
            failed += 1
            logger.error("upload %s failed: %s", brought.upload.id, brought.error, extra={"fields": fields})
            return
        report = brought.report
        fields |= {"sent": len(report.sent), "kept": report.skipped, "bytes_sent": report.bytes_sent}
        counts = (
            f"{len(report.sent)} files sent ({size_text(report.bytes_sent)}), {report.skipped} already there"
        )
        logger.info("upload %s: %s", brought.upload.id, counts, extra={"fields": fields})

    how = {"thread_count": thread_count}
    with _running("uploader", location, log_format) as (cancellation, said), client_for(how) as client:
        work = UploaderDaemon(
            client,
            cancellation,
            location=location,
            cache=Md5Cache(default_path()),
            fail_on_stop=fail_on_stop,
            progress=lambda progress: said(_at_work("uploading", progress)),
            on_brought=note,
        )
        try:
            Daemon(work.work, cancellation, pace=Pace(idle=10.0), said=said).run(once=once, max_idle=max_idle)
        finally:
            work.close()
    if once and failed:
        sys.exit(1)


def _at_work(verb: str, progress: Progress) -> str:
    return f"{verb}: {described(progress)}"


@contextmanager
def _running(
    name: str, location: str | None, log_format: str
) -> Iterator[tuple[Cancellation, Callable[[str], None]]]:
    """Give what ends a daemon, and what shows its state: a line that changes on a terminal, else the log."""
    from conductor.lib.cancellation import Cancellation
    from conductor.lib.daemons.json_log import log_as_json
    from conductor.lib.daemons.signals import ending_by_signals

    root = logging.getLogger("conductor")
    if root.getEffectiveLevel() > logging.DEBUG and log_format == "json":
        root.setLevel(min(root.getEffectiveLevel(), logging.INFO))
    if log_format == "json":
        log_as_json(root)
    cancellation = Cancellation()
    where = f" for location {location!r}" if location else ""
    logger.info("%s started%s", name, where, extra={"fields": {"event": "started", "location": location}})
    with ending_by_signals(cancellation), _status_line(name, wanted=log_format == "text") as said:
        yield cancellation, said
    logger.info("%s ended", name, extra={"fields": {"event": "ended"}})


@contextmanager
def _status_line(name: str, *, wanted: bool) -> Iterator[Callable[[str], None]]:
    if wanted and sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(f"{name}: starting") as status:
            yield lambda text: status.update(f"{name}: {text}")
        return
    last = ""

    def log(text: str) -> None:
        nonlocal last
        if text.partition(":")[0] != last:  # each change once, not each step of a transfer
            last = text.partition(":")[0]
            logger.info("%s", text, extra={"fields": {"event": "status"}})

    yield log
