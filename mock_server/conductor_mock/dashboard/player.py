"""The finished frames of a job, one at a time."""

from __future__ import annotations

from flask import request

from conductor_mock.context import service
from conductor_mock.control.selection import existing_account
from conductor_mock.dashboard.job import title_of
from conductor_mock.dashboard.shown import show
from conductor_mock.farm import ids, lookup
from conductor_mock.farm.statuses import DELIVERED

MOST_FRAMES = 1000
"""That the slider has; those of tasks behind them are reached from the tasks."""


def player(jid: str) -> str:
    """The picture of one finished frame of a job, that of task `task` or the first, and the way to the others."""
    with service().accounts.open(existing_account()) as account:
        job = lookup.job(account.state, jid)
        finished = [
            (ids.tid(index), task.frames or ids.tid(index))
            for index, task in enumerate(job.tasks)
            if task.status in DELIVERED and task.download
        ]
        name, about = account.state.client_id, title_of(job)
    frames = finished[:MOST_FRAMES]
    wanted = request.args.get("task", "")
    at = next((place for place, (tid, _) in enumerate(frames) if tid == wanted), 0)
    return show(
        "player.html",
        account=name,
        job=about,
        frames=frames,
        at=at,
        left_out=len(finished) - len(frames),
    )
