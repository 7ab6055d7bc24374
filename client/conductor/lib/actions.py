"""Doing something to jobs and tasks: kill, hold, start again (wire reference 2.11)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.wire.records import job_id, job_ids, object_of, task_ids, text


class Action(str, Enum):
    """What can be done.

    Clients of the real service were only seen to send ``kill``; it offers the others in its dashboard, and their
    names here are a guess.
    """

    KILL = "kill"
    HOLD = "hold"
    UNHOLD = "unhold"
    RETRY = "retry"
    RETRY_FAILED = "retry_failed"
    RETRY_PREEMPTED = "retry_preempted"
    RETRY_SYNC = "retry_sync"
    REVIEWED = "reviewed"
    RELEASE_SCOUTS = "release_scouts"

    def __str__(self) -> str:
        return self.value


TASK_ACTIONS = (Action.KILL, Action.HOLD, Action.UNHOLD, Action.RETRY, Action.REVIEWED)
"""Those that single tasks take too."""


def act_on_jobs(action: Action | str, jids: Iterable[int | str], *, client: ApiClient | None = None) -> str:
    """Do something to whole jobs, and return what the service says about it.

    The service leaves alone what cannot take the action. Raises BadArgumentError, RefusedError where nothing could
    take it, OutcomeUnknownError where no answer came: look at the jobs before doing it again.
    """
    chosen, ids = _action(action, tuple(Action)), job_ids(jids)
    named = f"jobs {', '.join(ids)}" if len(ids) != 1 else f"job {ids[0]}"
    if not ids:
        raise BadArgumentError.listing([Problem("jids", "none", "at least one job id")])
    about, advice = f"{named} ({chosen})", f"look at the status of {named} before doing it again"
    with client_or_own(client) as api:
        sent = api.calls.jobs_act(chosen.value, ids, about=about, advice=advice)
        return text(object_of(sent), "message", "body")


def act_on_tasks(
    action: Action | str, jid: int | str, tids: Iterable[int | str], *, client: ApiClient | None = None
) -> str:
    """Do something to tasks of one job, and return what the service says about it. Raises as ``act_on_jobs``."""
    chosen, job, ids = _action(action, TASK_ACTIONS), job_id(jid), task_ids(tids)
    if not ids:
        raise BadArgumentError.listing([Problem("tids", "none", "at least one task id")])
    about = f"tasks of job {job} ({chosen})"
    advice = f"look at the status of the tasks of job {job} before doing it again"
    with client_or_own(client) as api:
        sent = api.calls.tasks_act(chosen.value, job, ids, about=about, advice=advice)
        return text(object_of(sent), "message", "body")


def _action(name: Action | str, accepted: tuple[Action, ...]) -> Action:
    for action in accepted:
        if name == action:
            return action
    names = ", ".join(action.value for action in accepted)
    raise BadArgumentError.listing([Problem("action", repr(name)[:80], f"one of {names}")])
