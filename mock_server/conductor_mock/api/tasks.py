"""`tasks.list`, `tasks.act`, `logs.get`: single tasks (wire reference 2.10, 2.11, 2.22)."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, request

from conductor_mock.api.bodies import contract_body
from conductor_mock.api.numbering import numbers
from conductor_mock.catalog.filters import FilterError
from conductor_mock.catalog.record_filters import parse
from conductor_mock.context import caller, service
from conductor_mock.errors import Detail, bad_request, not_found
from conductor_mock.farm import actions, logs, lookup, views
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.state import Execution
from conductor_mock.farm.statuses import Action

tasks = Blueprint("tasks", __name__)
task_logs = Blueprint("logs", __name__)


@tasks.get("/api/v1/tasks", endpoint="list")
def list_tasks() -> dict[str, Any]:
    """The tasks that fit `filter`, such as `jobLabel_eq_00012,taskLabel_eq_003`."""
    try:
        wanted = parse(request.args.get("filter", ""))
    except FilterError as error:
        raise bad_request(f"filter: {error}", Detail("filter", str(error))) from None
    with service().accounts.open(caller().account_id) as account:
        state = account.state
        chosen = [
            state.jobs[number] for number in numbers(wanted, ("jobLabel", "jid"), 1, state.next_job_number)
        ]
        records = [
            views.task_record(state, job, index)
            for job in chosen
            for index in numbers(wanted, ("taskLabel", "tid"), 0, len(job.tasks))
        ]
    return {"data": [record for record in records if wanted.matches(record)]}


@tasks.put("/tasks_multi")
def act() -> dict[str, str]:
    """Do something to tasks of one job; those whose state does not allow it are left alone, 409 if it moves none."""
    body = contract_body()
    with service().accounts.open(caller().account_id) as account:
        command = actions.act_on_tasks(account.state, Action(body["action"]), body["jobid"], body["taskids"])
        account.append(command)
    lines = "".join(f"\n\t{tid(index)}" for index in command.tasks)
    message = f"{command.action}: {len(command.tasks)} tasks of job {jid(command.job)}:{lines}"
    return {"body": "success", "message": message}


@task_logs.get("/get_log_file")
def get() -> dict[str, Any]:
    """The lines of a task's log behind those that the caller has. A task that never ran has none: 404."""
    known = request.args.get("num_lines[]", "0")
    if not re.fullmatch(r"\d{1,12}", known, re.ASCII):
        message = f"must be the number of lines that you have, got {known[:40]!r}"
        raise bad_request(f"num_lines[] {message}", Detail("num_lines[]", message))
    for name in ("job", "task"):
        if not request.args.get(name):
            raise bad_request(f"{name} is missing", Detail(name, "is required"))
    read: dict[int, Execution] = {}
    log_lines: logs.LogLines = {}
    while True:
        with service().accounts.open(caller().account_id) as account:
            job = lookup.job(account.state, request.args["job"])
            index, task = lookup.task(job, request.args["task"])
            if not logs.has_log(task, account.state.now_us):
                raise not_found(
                    f"task {tid(index)} of job {jid(job.number)} has no log: it is {task.status} and never ran"
                )
            executions = logs.executions(task)
            if executions == read:
                return logs.answer(account.state, job, index, int(known), log_lines)
        # What runs for real is read without the account's lock, and again if it has moved on in the meantime.
        read = executions
        log_lines = {number: service().log_lines(execution) for number, execution in executions.items()}
