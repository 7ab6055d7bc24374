"""Changes of a job that is under way: another priority, another machine."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.api.offered import known_machine
from conductor_mock.catalog import Catalog
from conductor_mock.context import service
from conductor_mock.control.fields import object_body, wrong
from conductor_mock.control.selection import one_account
from conductor_mock.errors import bad_request
from conductor_mock.farm import actions, lookup, views
from conductor_mock.farm.state import Job
from conductor_mock.farm.values import Machine

changes = Blueprint("changes", __name__)

MAX_PRIORITY = 1 << 62


@changes.post("/jobs/<jid>")
def change(jid: str) -> dict[str, Any]:
    """Give a job another `priority` or `instance_type`, or both; attempts under way keep their machine.

    A job has one machine on the wire, so a single task cannot be given another.
    """
    body = _body()
    account_id = one_account()
    offered = service().served_for(account_id).catalog
    with service().accounts.open(account_id) as account:
        job = lookup.job(account.state, jid)
        command = actions.change(
            account.state, jid, priority=body.get("priority"), machine=_machine(body, job, offered)
        )
        account.append(command)
        return views.job_record(account.state, job)


def _machine(body: dict[str, Any], job: Job, offered: Catalog) -> Machine | None:
    name = body.get("instance_type")
    if name is None:
        return None
    machine = known_machine(offered, name, job.machine.licence_price)
    if machine is None:
        raise wrong("instance_type", f"{name[:80]!r} is not in the catalogue")
    return machine


def _body() -> dict[str, Any]:
    body = object_body(accepted=("priority", "instance_type"))
    if not body:
        raise bad_request("send 'priority', 'instance_type', or both")
    priority, machine = body.get("priority", 0), body.get("instance_type", "")
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > MAX_PRIORITY:
        raise wrong("priority", f"must be a whole number, got {str(priority)[:40]!r}")
    if not isinstance(machine, str):
        raise wrong("instance_type", f"must be a text, got {str(machine)[:40]!r}")
    return body
