"""``conductor logs``: what a task printed."""

from __future__ import annotations

import click

from conductor.commands.common import json_option, print_json
from conductor.commands.failures import Failed
from conductor.commands.printing import echo
from conductor.lib.exceptions import RefusedError


def _is_to_come(jid: str, tid: str) -> bool:
    """Say whether there is such a task, which did not end."""
    from conductor.lib.statuses import TASK_ENDED
    from conductor.lib.tasks import get_task

    try:
        return get_task(jid, tid).status not in TASK_ENDED
    except RefusedError:
        return False


@click.command()
@click.argument("jid", metavar="JOB")
@click.argument("tid", metavar="TASK")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task has ended.")
@json_option
def logs(jid: str, tid: str, follow: bool, as_json: bool) -> None:
    """Print the log of a task.

    With --follow a task that did not begin is waited for; --json then prints an object for each line.
    """
    from conductor.lib.logs import follow_log, get_log

    if follow:
        for line in follow_log(jid, tid):
            if as_json:
                print_json({"line": line})
            else:
                echo(line, raw=True)  # colours and all, as the task printed it
        return
    try:
        log = get_log(jid, tid)
    except RefusedError as error:
        if error.status != 404 or not _is_to_come(jid, tid):
            raise
        raise Failed(f"{error}; --follow waits for it", error.exit_code) from None
    if as_json:
        print_json(
            {
                "task_status": log.task_status,
                "instance_name": log.instance_name,
                "container_id": log.container_id,
                "lines": log.lines,
            }
        )
    else:
        echo(log.text, raw=True, nl=False)
