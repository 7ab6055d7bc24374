"""The account's clock, which forms move, and the farm as it was at any moment, as its jobs remember it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from flask import Response

from conductor_mock.control import clock as clock_control
from conductor_mock.control.selection import state_to_show
from conductor_mock.dashboard.forms import back_to, checked, filled_in, number
from conductor_mock.dashboard.jobs import Part, parts, words
from conductor_mock.dashboard.shown import chosen_values, show, slice_of, span
from conductor_mock.errors import wrong_value
from conductor_mock.farm import history, holds
from conductor_mock.farm.clock import ONE, SECOND, iso
from conductor_mock.farm.ids import jid
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import TaskStatus

SPEEDS = (("Pause", 0), ("1x", 1), ("10x", 10), ("60x", 60), ("600x", 600))
JUMPS = (("1 minute", 60), ("10 minutes", 600), ("1 hour", 3600), ("1 day", 86_400))
JOBS = 50
MOST_TASKS = 20_000
"""Tasks whose history is read for one page."""
MOST_HOLDS = 20
LINE = 1000
"""The width of the drawing of lifetimes, in its own units."""


@dataclass(frozen=True, slots=True)
class JobThen:
    """A job at the moment that is looked at, and where its life lies in the drawing."""

    jid: str
    title: str
    status: str
    words: str
    bar: tuple[Part, ...]
    tasks: int
    start: float
    width: float


def clock() -> str:
    """The clock, what does not go on by itself, and the jobs at the moment `at`, in seconds since the account began."""
    query = chosen_values("at")
    with state_to_show() as state:
        length_s = max(1, -(-(state.now_us - state.opened_us) // SECOND))
        at_s = _moment(query.get("at"), length_s)
        t_us = min(state.opened_us + at_s * SECOND, state.now_us)
        born = [job for job in reversed(state.jobs.values()) if job.created_us <= t_us]
        found = slice_of(born, JOBS)
        return show(
            "clock.html",
            account=state.client_id,
            area="/clock",
            now=iso(state.now_us),
            speed=f"{state.clock.speed_millionths / ONE:g}",
            speeds=SPEEDS,
            jumps=JUMPS,
            holds=[
                {"jid": jid(hold.job), "reason": hold.reason, "command": hold.command}
                for hold in islice(holds.holds(state), MOST_HOLDS)
            ],
            at=at_s,
            length=length_s,
            then=iso(t_us),
            is_now="at" not in query,
            ago=span(state.now_us - t_us),
            born=len(born),
            total=len(state.jobs),
            jobs=list(_then(state, found.items, t_us)),
            mark=LINE * at_s / length_s,
            line=LINE,
            slice=found,
            query=query,
        )


def move() -> Response:
    """Move the clock as the form says: `speed`, `advance` or `until`. Refuses (400, 409)."""
    filled = filled_in("speed", "advance", "until")
    body = {name: text if name == "until" else number(text) for name, text in filled.items()}
    clock_control.moved(checked("control.clock.move", body))
    return back_to("/clock")


def _moment(text: str | None, length_s: int) -> int:
    """The second that is looked at: the last one unless the address names another. Refuses (400) what is no number."""
    if text is None:
        return length_s
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise wrong_value(
            "at", f"must be seconds since the account began, 0 to {length_s}, got {text[:40]!r}"
        )
    return min(int(text), length_s)


def _then(state: State, jobs: Sequence[Job], t_us: int) -> Iterator[JobThen]:
    length_us = max(1, state.now_us - state.opened_us)
    left = MOST_TASKS
    for job in jobs:
        left -= len(job.tasks)
        began = LINE * (job.created_us - state.opened_us) / length_us
        ended = LINE * ((job.ended_us or state.now_us) - state.opened_us) / length_us
        status, told, bar = (
            _looked_at(state, job, t_us) if left >= 0 else ("", "too many to look at here", ())
        )
        yield JobThen(
            jid(job.number),
            job.title,
            status,
            told,
            bar,
            len(job.tasks),
            round(began, 1),
            max(2, round(ended - began, 1)),
        )


def _looked_at(state: State, job: Job, t_us: int) -> tuple[str, str, tuple[Part, ...]]:
    status, statuses = history.job_status_at(state, job, t_us)
    counts: Mapping[TaskStatus, int] = Counter(statuses)
    return status, words(counts, len(job.tasks)), tuple(parts(counts))
