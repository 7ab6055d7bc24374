"""Jobs as the server knows them, now and at an earlier time, and changes of one that is under way."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, request

from conductor_contracts.problems import Problem, count
from conductor_mock.api.offered import known_machine
from conductor_mock.catalog import Catalog
from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change, existing_account, existing_accounts
from conductor_mock.control.validation import operation, plain_body
from conductor_mock.errors import invalid, not_found
from conductor_mock.farm import actions, history, lookup, views
from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.ids import tid as write_tid
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.values import Machine

jobs = Blueprint("jobs", __name__)


@jobs.get("/jobs", endpoint="list")
def list_() -> dict[str, Any]:
    """Every job of the accounts that are meant, with its payload and tasks."""
    found = []
    for account_id in existing_accounts():
        with service().accounts.open(account_id) as account:
            state = account.state
            found += [
                views.control_job(job, state.client_id, account.payload(job)) for job in state.jobs.values()
            ]
    return {"jobs": found}


@jobs.get("/jobs/<jid>")
def get(jid: str) -> dict[str, Any]:
    """One job: its status, the payload as received, its tasks. With `at` (ISO time): the statuses of then."""
    with service().accounts.open(existing_account()) as account:
        state = account.state
        found = state.jobs.get(int(jid)) if jid.isascii() and jid.isdigit() and len(jid) < 19 else None
        if found is None:
            raise not_found(
                f"there is no job {jid[:40]!r} in this account; it has {count(len(state.jobs), 'job')}"
            )
        record = views.control_job(found, state.client_id, account.payload(found))
        return record if "at" not in request.args else {**record, **_then(state, found, _time("at"))}


@jobs.post("/jobs/<jid>")
def change(jid: str) -> dict[str, Any]:
    """Give a job another `priority` or `instance_type`, or both; attempts under way keep their machine.

    A job has one machine on the wire, so a single task cannot be given another.
    """
    wanted, account_id = plain_body(), account_to_change()
    offered = service().served_for(account_id).catalog
    with service().accounts.open(account_id) as account:
        job = lookup.job(account.state, jid)
        machine = _machine(wanted.get("instance_type"), job, offered)
        account.append(actions.change(account.state, jid, priority=wanted.get("priority"), machine=machine))
        return views.job_record(account.state, job)


def _machine(name: str | None, job: Job, offered: Catalog) -> Machine | None:
    if name is None:
        return None
    machine = known_machine(offered, name, job.machine.license_micro_usd_per_hour)
    if machine is None:
        raise invalid(operation().id, [Problem("/instance_type", f"{name[:80]!r} is not in the catalogue")])
    return machine


def _then(state: State, job: Job, t_us: int) -> dict[str, Any]:
    """What a job and its tasks looked like at a time: their statuses."""
    status, statuses = history.job_status_at(state, job, t_us)
    then = [
        {"tid": write_tid(index), "status": one, "command": task.command, "frames": task.frames}
        for index, (task, one) in enumerate(zip(job.tasks, statuses, strict=True))
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
