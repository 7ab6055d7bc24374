"""``conductor wait``: until jobs have ended, with an exit code by how."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from conductor.commands.common import Seconds, json_option, print_json
from conductor.commands.printing import echo
from conductor.lib.statuses import JobStatus

if TYPE_CHECKING:
    from rich.console import Console

    from conductor.lib.jobs import Job

FAILED, KILLED = 5, 6
NAMED = 10
"""How many tasks are named at most; `conductor tasks JOB --status failed` lists all of them."""


@click.command()
@click.argument("jids", metavar="JOB...", nargs=-1, required=True)
@click.option("--timeout", type=Seconds(min=0), help="Give up after so many seconds.")
@click.option(
    "--interval",
    type=Seconds(min=0.1),
    default=30.0,
    show_default=True,
    help="Ask at least every so many seconds.",
)
@json_option
@click.pass_context
def wait(
    ctx: click.Context, jids: tuple[str, ...], timeout: float | None, interval: float, as_json: bool
) -> None:
    """Wait until jobs have ended.

    Exit codes: 0 all of them succeeded, 5 at least one failed, was preempted or could not be synchronised, 6 none of
    that but at least one was killed, 124 --timeout is over.
    """
    from conductor.lib.polling import Polling
    from conductor.lib.waiting import wait_for_jobs

    polling = Polling(first=min(1.0, interval), longest=interval)
    with _progress() as show:
        ended = wait_for_jobs(jids, timeout=timeout, polling=polling, on_change=show)
    if as_json:
        print_json([job.record for job in ended])
    else:
        for job in ended:
            echo(f"{_line(job)}{which_tasks(job)}")
    ctx.exit(outcome(ended))


def outcome(jobs: Iterable[Job]) -> int:
    """Return the exit code for jobs that have ended."""
    failed = [job for job in jobs if not job.succeeded]
    if not failed:
        return 0
    return KILLED if all(job.status == JobStatus.KILLED for job in failed) else FAILED


def _line(job: Job) -> str:
    return f"{job.jid} {job.status} {task_counts(job)} tasks{unrendered(job)}"


def task_counts(job: Job) -> str:
    """Return how many tasks have ended, of all."""
    return f"{job.finished_tasks}/{job.tasks}"


def unrendered(job: Job) -> str:
    """Return how many tasks ended without being rendered, as ``, 1 failed``; empty if none did."""
    return "".join(f", {count} {status}" for status, count in job.unrendered.items())


def which_tasks(job: Job) -> str:
    """Ask which tasks they are, and return them as ``: 003, 007``; empty if there are none, or nobody says."""
    from conductor.lib.exceptions import ConductorError
    from conductor.lib.tasks import list_tasks

    if not job.unrendered:
        return ""
    try:
        tids = [task.tid for task in list_tasks(job.jid) if task.status in job.unrendered]
    except ConductorError as error:
        echo(f"conductor: which tasks of job {job.jid} is not known: {error}", err=True)
        return ""
    more = f" and {len(tids) - NAMED} more" if len(tids) > NAMED else ""
    return f": {', '.join(tids[:NAMED])}{more}" if tids else ""


@contextmanager
def _progress() -> Iterator[Callable[[list[Job]], None]]:
    """Give a function that shows jobs on the standard error: as bars on a terminal, else a line for each change."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console

    with bars(Console(file=sys.stderr)) as show:
        yield show


@contextmanager
def bars(console: Console) -> Iterator[Callable[[list[Job]], None]]:
    """Give a function that shows jobs as bars, which are gone after the block."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        ids: dict[str, TaskID] = {}

        def show(jobs: list[Job]) -> None:
            for job in jobs:
                done, status = job.finished_tasks, job.status
                if job.jid in ids:
                    progress.update(ids[job.jid], total=job.tasks, completed=done, status=status)
                else:
                    name = f"job {job.jid}"
                    ids[job.jid] = progress.add_task(name, total=job.tasks, completed=done, status=status)
            progress.refresh()

        yield show


def _lines() -> Callable[[list[Job]], None]:
    last: dict[str, str] = {}

    def show(jobs: list[Job]) -> None:
        for job in jobs:
            line = _line(job)
            if last.get(job.jid) != line and not job.has_ended:
                echo(f"job {line}", err=True)
            last[job.jid] = line

    return show
