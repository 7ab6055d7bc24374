"""`conductor-mock jobs`: what the farm has, as the server knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from conductor_contracts.problems import count
from conductor_mock.commands.target import Target, target_options


@click.command()
@click.argument("jid", required=False)
@target_options
def jobs(target: Target, jid: str | None) -> None:
    """List the jobs of an account, or show the tasks of the job JID."""
    if jid is None:
        answer = target.ask("GET", "jobs")
        target.show(answer, map(_job, answer["jobs"]) if answer["jobs"] else ["no jobs"])
    elif not (jid.isascii() and jid.isdigit()):
        raise click.BadParameter(f"must be the number of a job, got {jid!r}", param_hint="JID")
    else:
        answer = target.ask("GET", f"jobs/{jid}")
        target.show(answer, [_job(answer), *_tasks(answer)])


def _job(job: dict[str, Any]) -> str:
    counts = Counter(task["status"] for task in job["tasks"])
    tasks = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no tasks"
    title = job["payload"].get("job_title") or ""
    return f"{job['jid']}  {job['status']}  {title}  ({tasks})"


def _tasks(job: dict[str, Any]) -> Iterator[str]:
    for task in job["tasks"]:
        tried = f"frames {task['frames'] or '-'}  {count(len(task['attempts']), 'attempt')}"
        yield f"  {task['tid']}  {task['status']}  {tried}  {task['command']}"
