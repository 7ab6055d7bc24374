"""What people do to jobs and tasks on their pages: the buttons that are offered, and what each does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import Response

from conductor_contracts.problems import advice
from conductor_mock.context import service
from conductor_mock.control import jobs as jobs_control
from conductor_mock.control import tasks as tasks_control
from conductor_mock.control.selection import existing_account
from conductor_mock.dashboard.forms import back_to, checked, filled_in, number
from conductor_mock.errors import wrong_value
from conductor_mock.farm import actions, ids
from conductor_mock.farm.state import Job, Task
from conductor_mock.farm.statuses import FORCED, Action, Outcome

LABELS: Mapping[Action, tuple[str, str]] = {
    Action.RELEASE_SCOUTS: ("Approve scouts", "The tasks that wait for the scouts begin."),
    Action.UNHOLD: ("Unhold", "What is held waits for machines again."),
    Action.HOLD: ("Hold", "What waits for a machine gets none."),
    Action.RETRY_FAILED: ("Retry failed", "What failed runs again."),
    Action.RETRY_PREEMPTED: ("Retry preempted", "What was preempted runs again."),
    Action.RETRY_SYNC: ("Retry sync", "The files are copied again."),
    Action.REVIEWED: ("Mark as reviewed", "What succeeded counts as looked at."),
    Action.RETRY: ("Retry", "What has ended runs again, also what succeeded; its outputs are replaced."),
    Action.KILL: ("Kill", "What runs or waits ends as killed."),
}
"""What a button says, and what it does, in the order in which they stand."""

ASKS_TWICE = frozenset({Action.RETRY, Action.KILL})
"""Actions that throw something away: their button lies behind another one."""

FORCED_LABELS: Mapping[Outcome, str] = {
    Outcome.SUCCESS: "End as success",
    Outcome.FAILED: "Fail this frame",
    Outcome.PREEMPTED: "Preempt",
    Outcome.KILLED: "End as killed",
}


@dataclass(frozen=True, slots=True)
class Button:
    """An action that a page offers."""

    value: str
    label: str
    effect: str
    asks_twice: bool


def buttons_of_job(job: Job) -> tuple[Button, ...]:
    """What can be done to a job now."""
    return _buttons(actions.possible(job))


def buttons_of_task(job: Job, task: Task) -> tuple[Button, ...]:
    """What can be done to a task now."""
    return _buttons(actions.possible_on_task(job, task))


def forced_ends(job: Job, task: Task) -> tuple[tuple[str, str], ...]:
    """The ends that a task can be given now, each with its label."""
    if not actions.may_be_forced(job, task):
        return ()
    return tuple((outcome.value, FORCED_LABELS[outcome]) for outcome in FORCED)


def act_on_job(jid: str) -> Response:
    """Do to a job what its button says. Refuses (400, 404, 409)."""
    action = _action()
    with service().accounts.open(existing_account()) as account:
        account.append(actions.act_on_jobs(account.state, action, [jid]))
    return back_to(f"/job/{jid}")


def change_job(jid: str) -> Response:
    """Give a job the priority and the machine of the form. Refuses (400, 404, 409)."""
    filled = filled_in("priority", "instance_type")
    body = {name: number(text) if name == "priority" else text for name, text in filled.items()}
    asked = checked("control.jobs.change", body)
    jobs_control.changed(jid, priority=asked.get("priority"), instance_type=asked.get("instance_type"))
    return back_to(f"/job/{jid}")


def act_on_task(jid: str, tid: int) -> Response:
    """Do to a task what its button says. Refuses (400, 404, 409)."""
    action = _action()
    with service().accounts.open(existing_account()) as account:
        account.append(actions.act_on_tasks(account.state, action, jid, [ids.tid(tid)]))
    return back_to(f"/jobs/{jid}/{ids.tid(tid)}")


def force_task(jid: str, tid: int) -> Response:
    """End a task as the form says. Refuses (400, 404, 409)."""
    asked = checked("control.tasks.force", filled_in("status"))
    existing_account()
    tasks_control.forced(jid, ids.tid(tid), Outcome(asked["status"]), None)
    return back_to(f"/jobs/{jid}/{ids.tid(tid)}")


def _buttons(possible: Iterable[Action]) -> tuple[Button, ...]:
    offered = set(possible)
    return tuple(
        Button(action.value, label, effect, action in ASKS_TWICE)
        for action, (label, effect) in LABELS.items()
        if action in offered
    )


def _action() -> Action:
    text = filled_in("action").get("action", "")
    known = [action.value for action in LABELS]
    if text not in known:
        raise wrong_value("action", f"is none of {', '.join(known)}: {text[:40]!r}{advice(text, known)}")
    return Action(text)
