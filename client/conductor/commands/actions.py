"""``conductor kill``, ``hold``, ``unhold`` and ``retry``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from conductor.commands.common import json_option, print_json, task_numbers
from conductor.commands.printing import echo
from conductor.lib.exceptions import BadArgumentError, Problem


def _targets(command: Callable[..., Any]) -> Callable[..., Any]:
    task_option = click.option(
        "--task-id",
        "task_texts",
        multiple=True,
        metavar="TASK",
        help="Only these tasks of one job, such as 3, 003,7 or 10-19x2; may be repeated.",
    )
    return click.argument("jids", metavar="JOB...", nargs=-1, required=True)(
        task_option(json_option(command))
    )


@click.command()
@_targets
def kill(jids: tuple[str, ...], task_texts: tuple[str, ...], as_json: bool) -> None:
    """Kill jobs or tasks, whether they are pending or running."""
    _act("kill", jids, task_texts, as_json)


@click.command()
@_targets
def hold(jids: tuple[str, ...], task_texts: tuple[str, ...], as_json: bool) -> None:
    """Hold pending jobs or tasks, so that they do not start."""
    _act("hold", jids, task_texts, as_json)


@click.command()
@click.option("--scouts", is_flag=True, help="Release the tasks that wait for scout frames.")
@_targets
def unhold(jids: tuple[str, ...], task_texts: tuple[str, ...], as_json: bool, scouts: bool) -> None:
    """Release jobs or tasks that are held."""
    _act("release_scouts" if scouts else "unhold", jids, task_texts, as_json)


@click.command()
@click.option("--failed", "what", flag_value="retry_failed", help="Only the tasks that failed.")
@click.option("--preempted", "what", flag_value="retry_preempted", help="Only the tasks that were preempted.")
@click.option("--sync", "what", flag_value="retry_sync", help="Only the synchronisation of files.")
@_targets
def retry(jids: tuple[str, ...], task_texts: tuple[str, ...], as_json: bool, what: str | None) -> None:
    """Start jobs or tasks again that have ended."""
    _act(what or "retry", jids, task_texts, as_json)


def _act(action: str, jids: tuple[str, ...], task_texts: tuple[str, ...], as_json: bool) -> None:
    from conductor.lib.actions import act_on_jobs, act_on_tasks

    if task_texts:
        if len(jids) != 1:
            raise BadArgumentError.listing([Problem("JOB", f"{len(jids)} jobs", "one job, with --task-id")])
        message = act_on_tasks(action, jids[0], task_numbers(task_texts))
    else:
        message = act_on_jobs(action, jids)
    if as_json:
        print_json({"action": action, "message": message})
    else:
        echo(message)
