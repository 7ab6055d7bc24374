"""When the instances of a job were there and what they cost, as drawings: positions are attributes of SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conductor_mock.dashboard.shown import money, span
from conductor_mock.farm import billing
from conductor_mock.farm.clock import iso
from conductor_mock.farm.ids import tid
from conductor_mock.farm.state import Attempt, Job, State

WIDTH = 1000
"""Of a drawing, in its own units."""
ROW = 10
MOST_ROWS = 100
POINTS = 60
HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt as a bar: its instance boots, then it runs."""

    title: str
    outcome: str
    row: int
    start: float
    boot: float
    run: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A job from its beginning to its end, or to now."""

    runs: tuple[Run, ...]
    rows: int
    left_out: int
    """Tasks with attempts beyond MOST_ROWS."""
    began: str
    middle: str
    ended: str
    cost: str
    """The points of the line of costs."""
    total: str
    instances: tuple[tuple[float, float, int], ...]
    """Where a bar begins, how high it is, how many instances it says."""
    most_instances: int


def timeline(state: State, job: Job, indexes: range) -> Timeline | None:
    """The instances of some tasks of a job, and its costs; None where it never had any."""
    end_us = state.now_us if job.ended_us is None else job.ended_us
    length_us = max(1, end_us - job.created_us)
    tried = [index for index in indexes if job.tasks[index].attempts]
    if not tried:
        return None
    times = [job.created_us + length_us * point // POINTS for point in range(POINTS + 1)]
    told = billing.cost_over_time(job, state.now_us, times)
    dearest = max(cost for cost, _ in told) or 1
    most = max(1, *(count for _, count in told))
    return Timeline(
        runs=tuple(_runs(state, job, tried[:MOST_ROWS], length_us)),
        rows=len(tried[:MOST_ROWS]) * ROW,
        left_out=max(0, len(tried) - MOST_ROWS),
        began=iso(job.created_us),
        middle=iso(job.created_us + length_us // 2),
        ended=iso(end_us),
        cost=" ".join(
            f"{_at(job, time, length_us)},{HEIGHT - round(cost * HEIGHT / dearest, 1)}"
            for time, (cost, _) in zip(times, told, strict=True)
        ),
        total=money(told[-1][0]),
        instances=tuple(
            (_at(job, time, length_us), round(count * HEIGHT / most, 1), count)
            for time, (_, count) in zip(times[:-1], told, strict=False)
        ),
        most_instances=most,
    )


def _runs(state: State, job: Job, tried: list[int], length_us: int) -> Iterator[Run]:
    for place, index in enumerate(tried):
        for number, attempt in enumerate(job.tasks[index].attempts, 1):
            end_us = state.now_us if attempt.ended_us is None else attempt.ended_us
            booted_us = min(attempt.started_us, end_us)
            start, booted = _at(job, attempt.assigned_us, length_us), _at(job, booted_us, length_us)
            yield Run(
                title=_title(job, index, number, attempt, end_us),
                outcome=attempt.outcome,
                row=place * ROW,
                start=start,
                boot=round(booted - start, 2),
                run=max(1.0, round(_at(job, end_us, length_us) - booted, 2)),
            )


def _title(job: Job, index: int, number: int, attempt: Attempt, end_us: int) -> str:
    ran = span(max(0, end_us - attempt.started_us))
    again = f", attempt {number}" if number > 1 else ""
    return f"task {tid(index)}{again}: {attempt.outcome}, ran {ran} on {job.machine_of(attempt).name}"


def _at(job: Job, t_us: int, length_us: int) -> float:
    return round(min(1.0, (t_us - job.created_us) / length_us) * WIDTH, 2)
