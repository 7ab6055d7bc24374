"""`logs.get`: what a task said (wire reference 2.22)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from conductor_mock.context import caller, service
from conductor_mock.errors import not_found
from conductor_mock.farm import logs as farm
from conductor_mock.farm import lookup
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.state import Execution

logs = Blueprint("logs", __name__)


class NoLogError(LookupError):
    """A task that never ran has no log; the message says so."""


@logs.get("/get_log_file")
def get() -> dict[str, Any]:
    """The lines of a task's log behind those that the caller has. A task that never ran has none: 404."""
    known = int(request.args.get("num_lines[]", "0"))
    try:
        return log_of(caller().account_id, request.args["job"], request.args["task"], known)
    except NoLogError as error:
        raise not_found(str(error)) from None


def log_of(account_id: str, job_id: str, task_id: str, known: int) -> dict[str, Any]:
    """The answer of `logs.get` for a task of an account. Raises NoLogError; refuses (404) what there is not."""
    read: dict[int, Execution] = {}
    log_lines: farm.LogLines = {}
    while True:
        with service().accounts.open(account_id) as account:
            job = lookup.job(account.state, job_id)
            index, task = lookup.task(job, task_id)
            if not farm.has_log(task, account.state.now_us):
                raise NoLogError(
                    f"task {tid(index)} of job {jid(job.number)} has no log: it is {task.status} and never ran"
                )
            executions = farm.executions(task)
            if executions == read:
                return farm.answer(account.state, job, index, known, log_lines)
        # What runs for real is read without the account's lock, and again if it has moved on in the meantime.
        read = executions
        log_lines = {number: service().log_lines(execution) for number, execution in executions.items()}
