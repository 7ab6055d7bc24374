"""Jobs as the server knows them, now and at an earlier time, and changes of one that is under way."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, request

from conductor_contracts.problems import Problem
from conductor_mock.api.offered import known_machine
from conductor_mock.catalog import Catalog
from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change, existing_account, existing_accounts
from conductor_mock.control.validation import operation, plain_body
from conductor_mock.errors import invalid
from conductor_mock.farm import actions, history, ids, lookup, views
from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.values import Machine

jobs = Blueprint("jobs", __name__)


@jobs.get("/jobs", endpoint="list")
def list_() -> dict[str, Any]:
    """Every job of the accounts that are meant, with its payload and tasks."""
    records: list[dict[str, Any]] = []
    for account_id in existing_accounts():
        with service().accounts.open(account_id) as account:
            state = account.state
            records += [
                views.control_job(job, state.client_id, account.payload(job)) for job in state.jobs.values()
            ]
    return {"jobs": records}


@jobs.get("/jobs/<jid>")
def get(jid: str) -> dict[str, Any]:
    """One job: its status, the payload as received, its tasks. With `at` (ISO time): the statuses of then."""
    with service().accounts.open(existing_account()) as account:
        state = account.state
        job = lookup.job(state, jid)
        record = views.control_job(job, state.client_id, account.payload(job))
        return record if "at" not in request.args else {**record, **_then(state, job, _time("at"))}


@jobs.post("/jobs/<jid>")
def change(jid: str) -> dict[str, Any]:
    """Give a job another `priority` or `instance_type`, or both; attempts under way keep their machine.

    A job has one machine on the wire, so a single task cannot be given another.
    """
    asked = plain_body()
    return changed(jid, priority=asked.get("priority"), instance_type=asked.get("instance_type"))


def changed(jid: str, *, priority: int | None, instance_type: str | None) -> dict[str, Any]:
    """A job as it is with another priority or machine; None leaves one as it is. Refuses (400, 404, 409)."""
    account_id = account_to_change()
    offered = service().served_for(account_id).catalog
    with service().accounts.open(account_id) as account:
        job = lookup.job(account.state, jid)
        machine = _machine(instance_type, job, offered)
        account.append(actions.change(account.state, jid, priority=priority, machine=machine))
        return views.job_record(account.state, job)


def _machine(name: str | None, job: Job, offered: Catalog) -> Machine | None:
    if name is None:
        return None
    machine = known_machine(offered, name, job.machine.license_micro_usd_per_hour)
    if machine is None:
        problem = Problem("/instance_type", f"{name[:80]!r} is not in the catalogue")
        raise invalid("control.jobs.change", [problem])
    return machine


def _then(state: State, job: Job, t_us: int) -> dict[str, Any]:
    """What a job and its tasks looked like at a time: their statuses."""
    status, statuses = history.job_status_at(state, job, t_us)
    then = [
        {"tid": ids.tid(index), "status": task_status, "command": task.command, "frames": task.frames}
        for index, (task, task_status) in enumerate(zip(job.tasks, statuses, strict=True))
    ]
    return {"at": iso(t_us), "status": status, "status_description": "", "tasks": then}


def _time(name: str) -> int:
    """A query parameter that is an ISO 8601 time, in microseconds; without a zone it is UTC."""
    text = request.args[name].replace(" ", "+")
    try:
        when = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        message = f"must be a time such as 2026-11-22T14:05:00Z, got {text[:40]!r}"
        raise invalid(operation().id, [Problem(name, message)]) from None
    return round(when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp() * SECOND)
