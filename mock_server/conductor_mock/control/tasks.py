"""Single tasks of a job."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change
from conductor_mock.control.validation import plain_body
from conductor_mock.farm import actions, lookup, views
from conductor_mock.farm.statuses import Outcome

tasks = Blueprint("tasks", __name__)


@tasks.post("/jobs/<jid>/tasks/<tid>")
def force(jid: str, tid: str) -> dict[str, Any]:
    """End a task: `{"status": "success"}`, or failed, preempted, killed, with an `exit_code` if you like."""
    asked = plain_body()
    return forced(jid, tid, Outcome(asked["status"]), asked.get("exit_code"))


def forced(jid: str, tid: str, outcome: Outcome, exit_code: int | None) -> dict[str, Any]:
    """A job one task of which was ended so. Refuses (404, 409)."""
    with service().accounts.open(account_to_change()) as account:
        account.append(actions.force(account.state, jid, tid, outcome, exit_code))
        job = lookup.job(account.state, jid)
        return views.control_job(job, account.state.client_id, account.payload(job))
