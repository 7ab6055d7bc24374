"""`tasks.list` and `tasks.act`: single tasks (wire reference 2.10, 2.11)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.api.bodies import contract_body
from conductor_mock.api.numbering import numbers
from conductor_mock.api.queries import filtered_by
from conductor_mock.api.record_filters import parse
from conductor_mock.context import caller, service
from conductor_mock.farm import actions, views
from conductor_mock.farm.ids import tid
from conductor_mock.farm.statuses import Action

tasks = Blueprint("tasks", __name__)


@tasks.get("/api/v1/tasks", endpoint="list")
def list_() -> dict[str, Any]:
    """The tasks that fit `filter`, such as `jobLabel_eq_00012,taskLabel_eq_003`."""
    filter_ = filtered_by(parse)
    with service().accounts.open(caller().account_id) as account:
        state = account.state
        chosen = [
            state.jobs[number] for number in numbers(filter_, ("jobLabel", "jid"), 1, state.next_job_number)
        ]
        records = [
            views.task_record(state, job, index)
            for job in chosen
            for index in numbers(filter_, ("taskLabel", "tid"), 0, len(job.tasks))
        ]
    return {"data": [record for record in records if filter_.matches(record)]}


@tasks.put("/tasks_multi")
def act() -> dict[str, str]:
    """Do something to tasks of one job; those whose state does not allow it are left alone, 409 if it moves none."""
    body = contract_body()
    with service().accounts.open(caller().account_id) as account:
        command = actions.act_on_tasks(account.state, Action(body["action"]), body["jobid"], body["taskids"])
        account.append(command)
    lines = "".join(f"\n\t{tid(index)}" for index in command.tasks)
    message = f' {len(command.tasks)} Tasks set to "{command.action}"{lines}'  # wire reference 12.16
    return {"body": "success", "message": message}
