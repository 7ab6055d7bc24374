"""``conductor jobs`` and ``conductor tasks``: what there is, and how far it is."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from conductor.commands.common import day_option, json_option, print_records
from conductor.commands.printing import echo
from conductor.commands.tables import Column
from conductor.commands.wait import task_counts, unrendered, which_tasks

if TYPE_CHECKING:
    from conductor.lib.jobs import Job
    from conductor.lib.tasks import Task

_JOB_COLUMNS = (
    Column("job"),
    Column("status", coloured=True),
    Column("tasks", right=True),
    Column("created"),
    Column("project", wide=70, cut=True),
    Column("owner", wide=100),
    Column("title", cut=True),
)
_TASK_COLUMNS = (
    Column("task"),
    Column("status", coloured=True),
    Column("frames"),
    Column("runtime", right=True),
    Column("command", cut=True),
)


@click.command()
@click.argument("jids", metavar="[JOB]...", nargs=-1)
@click.option("--status", "statuses", multiple=True, help="Only of this status; may be repeated.")
@click.option("--project", help="Only of this project.")
@click.option("--owner", help="Only of this owner.")
@day_option("since", "Only those submitted on this day (such as 2026-11-22) or later.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="The last so many; 0 for all."
)
@json_option
def jobs(
    jids: tuple[str, ...],
    statuses: tuple[str, ...],
    project: str | None,
    owner: str | None,
    since: date | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs and how far they are, the newest last.

    TASKS counts those that have ended, of all, then those of them that failed, were killed or preempted; of jobs that
    are named, which ones.
    """
    from conductor.lib.jobs import list_jobs

    every = list_jobs(jids=jids or None, statuses=statuses, project=project, owner=owner, since=since)
    shown = every[-limit:] if limit else every
    rows = (_job_row(job, named=bool(jids)) for job in shown)
    print_records((job.record for job in shown) if as_json else rows, _JOB_COLUMNS, as_json)
    if len(shown) < len(every):
        echo(f"the last {len(shown)} of {len(every)} jobs; --limit 0 lists all", err=True)


def _job_row(job: Job, *, named: bool) -> dict[str, Any]:
    which = which_tasks(job) if named else ""
    return {
        "job": job.jid,
        "status": job.status,
        "tasks": f"{task_counts(job)}{unrendered(job)}{which}",
        "created": job.created.rstrip("Z").replace("T", " ")[:16],
        "project": job.project,
        "owner": job.owner,
        "title": job.title,
    }


@click.command()
@click.argument("jid", metavar="JOB")
@click.option("--status", "statuses", multiple=True, help="Only of this status; may be repeated.")
@json_option
def tasks(jid: str, statuses: tuple[str, ...], as_json: bool) -> None:
    """List the tasks of a job."""
    from conductor.lib.api_client import ApiClient
    from conductor.lib.jobs import get_job
    from conductor.lib.tasks import list_tasks

    with ApiClient() as client:
        every = list_tasks(jid, client=client)
        if not every:
            get_job(jid, client=client)  # raises for one that there is not
    shown = [task for task in every if not statuses or task.status in statuses]
    print_records(
        (task.record for task in shown) if as_json else map(_task_row, shown), _TASK_COLUMNS, as_json
    )


def _task_row(task: Task) -> dict[str, Any]:
    return {
        "task": task.tid,
        "status": task.status,
        "frames": task.frames,
        "runtime": duration(task.runtime),
        "command": task.command,
    }


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds: ``1:02:03``, ``2:03``, ``0:00``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
