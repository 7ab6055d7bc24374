"""``conductor kill``, ``hold``, ``unhold`` and ``retry``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from conductor.commands.common import json_option, print_json, task_numbers
from conductor.commands.printing import echo
from conductor.lib.exceptions import BadArgumentError, Problem

MOST_NAMED = 10


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
        echo(done(action, message, jids[0] if task_texts else ""))


_DONE = {
    "kill": "{} killed",
    "hold": "{} held",
    "unhold": "{} released",
    "release_scouts": "the tasks of {} that waited for scouts were released",
    "retry": "{} started again",
    "retry_failed": "the failed tasks of {} were started again",
    "retry_preempted": "the preempted tasks of {} were started again",
    "retry_sync": "the files of {} are synchronised again",
}
"""What was done, with what it was done to in the place of ``{}``, and the verb where that is the subject."""


_JOBS = re.compile(r"Jobs \[(?P<ids>[u'\d, ]+)\] have been \w+\.", re.ASCII)
_TASKS = re.compile(r" ?\d+ Tasks set to \"\w+\"(?P<ids>(\n\t\d+)+)", re.ASCII)
"""What the service says of jobs and of tasks (wire reference 12.16)."""


def done(action: str, message: str, job: str = "") -> str:
    """Return what an action did, in a sentence, by the ids in the service's message; another message as it is.

    ``job`` is the job of the tasks that were meant.
    """
    said = (_TASKS if job else _JOBS).fullmatch(message)
    if said is None or action not in _DONE:
        return message
    ids = re.findall(r"\d+", said["ids"])
    noun = ("task" if job else "job") + ("" if len(ids) == 1 else "s")
    what = f"{noun} {_listed(ids)}" + (f" of job {job.zfill(5)}" if job else "")
    verb = "was" if len(ids) == 1 else "were"
    subject = _DONE[action].startswith("{}")  # elsewhere the verb stands in the sentence
    return _DONE[action].format(f"{what} {verb}" if subject else what)


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        return f"{', '.join(shown)} and {len(names) - MOST_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
