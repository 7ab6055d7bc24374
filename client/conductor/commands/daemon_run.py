"""Running a daemon on the command line: its options, its signals, and what it shows of itself."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conductor.commands.common import Seconds
from conductor.commands.downloading import DownloadOptions, client_for, make_downloader, summary
from conductor.commands.transfer_progress import described

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
        click.option("--max-idle", type=Seconds(0), metavar="SECONDS", help="End when idle for so long."),
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


def run_downloader(
    location: str | None,
    options: DownloadOptions,
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
        fields = {
            "event": "batch",
            "fetched": report.fetched,
            "kept": report.kept,
            "not_downloaded": len(report.problems),
            "bytes_received": report.bytes_received,
        }
        logger.info("%s", summary(report), extra={"fields": fields})

    with (
        running("downloader", location, log_format) as (cancellation, show),
        client_for(options.thread_count) as client,
    ):
        work = DownloaderDaemon(
            make_downloader(client, options),
            cancellation,
            location=location,
            count=options.page_size or PAGE_TASKS,
            progress=lambda progress: show(at_work("downloading", progress)),
            on_report=note,
        )
        try:
            Daemon(work.work, cancellation, on_status=show).run(once=once, max_idle=max_idle)
        finally:
            work.close()
    if once and undone:
        sys.exit(1)


def at_work(verb: str, progress: Progress) -> str:
    """Return the status of a daemon in the middle of a transfer."""
    return f"{verb}: {described(progress)}"


@contextmanager
def running(
    name: str, location: str | None, log_format: str
) -> Iterator[tuple[Cancellation, Callable[[str], None]]]:
    """Give what ends a daemon, and what shows its status: a line that changes on a terminal, else the log."""
    from conductor.lib.cancellation import Cancellation
    from conductor.lib.daemons.json_log import log_as_json
    from conductor.lib.daemons.signals import ending_by_signals

    root = logging.getLogger("conductor")
    if log_format == "json":
        root.setLevel(min(root.getEffectiveLevel(), logging.INFO))
        log_as_json(root)
    cancellation = Cancellation()
    where = f" for location {location!r}" if location else ""
    logger.info("%s started%s", name, where, extra={"fields": {"event": "started", "location": location}})
    with ending_by_signals(cancellation), _status_line(name, enabled=log_format == "text") as show:
        yield cancellation, show
    logger.info("%s ended", name, extra={"fields": {"event": "ended"}})


@contextmanager
def _status_line(name: str, *, enabled: bool) -> Iterator[Callable[[str], None]]:
    if enabled and sys.stderr.isatty():
        from rich.console import Console

        with Console(file=sys.stderr).status(f"{name}: starting") as status:
            yield lambda text: status.update(f"{name}: {text}")
        return
    last = ""

    def log(text: str) -> None:
        nonlocal last
        if text.partition(":")[0] != last:  # each change once, not each step of a transfer
            last = text.partition(":")[0]
            logger.info("%s", text, extra={"fields": {"event": "status"}})

    yield log
