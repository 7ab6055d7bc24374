"""Changes of a job that is under way: another priority, another machine."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.api.context import service
from conductor_mock.api.jobs import known_machine
from conductor_mock.catalog import Catalog
from conductor_mock.control.selection import one_account
from conductor_mock.errors import Detail, Refusal, bad_request
from conductor_mock.farm import actions, lookup, views
from conductor_mock.farm.state import Job
from conductor_mock.farm.values import Machine

changes = Blueprint("changes", __name__)

MAX_PRIORITY = 1 << 62
_FIELDS = ("priority", "instance_type")


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
        raise _wrong("instance_type", f"{name[:80]!r} is not in the catalogue")
    return machine


def _body() -> dict[str, Any]:
    body = parse_json(raw_body())
    if not isinstance(body, dict) or not body:
        raise bad_request(f"the body must be a JSON object with {' or '.join(_FIELDS)}")
    for name in body:
        if name not in _FIELDS:
            raise _wrong(name, f"cannot be changed; what can are {' and '.join(_FIELDS)}")
    priority, machine = body.get("priority", 0), body.get("instance_type", "")
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > MAX_PRIORITY:
        raise _wrong("priority", f"must be a whole number, got {str(priority)[:40]!r}")
    if not isinstance(machine, str):
        raise _wrong("instance_type", f"must be a text, got {str(machine)[:40]!r}")
    return body


def _wrong(name: str, message: str) -> Refusal:
    return bad_request(f"{name[:80]} {message}", Detail(f"/{name[:80]}", message))
