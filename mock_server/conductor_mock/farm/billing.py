"""What ran and what it cost: usage per hour of simulated time, in UTC (wire reference 2.20).

Money is computed in integers: micro-dollars per hour times microseconds; it becomes a float only on the wire.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.state import Attempt, Job, State, Task
from conductor_mock.farm.values import Machine

HOUR_US = 3600 * SECOND
DAY_US = 24 * HOUR_US


@dataclass(slots=True)
class Usage:
    """One hour: machine time, time times cores (both in microseconds), costs in micro-dollars times microseconds."""

    time_us: int = 0
    core_time_us: int = 0
    instance_cost: int = 0
    license_cost: int = 0


def usage_by_hour(
    state: State, start_us: int, end_us: int, is_included: Callable[[Job], bool] = lambda _: True
) -> dict[int, Usage]:
    """Usage of each hour (its first microsecond) from `start_us` to before `end_us` in which an included job ran."""
    hours: dict[int, Usage] = defaultdict(Usage)
    for job in filter(is_included, state.jobs.values()):
        _add_runs(hours, state, job, start_us, end_us, HOUR_US)
    return dict(sorted(hours.items()))


def usage_by_day(state: State, start_us: int, end_us: int) -> dict[int, Usage]:
    """The same for each day. Of a job that lived on one day and had one machine no task is looked at."""
    days: dict[int, Usage] = defaultdict(Usage)
    for job in state.jobs.values():
        if job.created_us >= end_us or (job.ended_us is not None and job.ended_us <= start_us):
            continue
        day = job.created_us - job.created_us % DAY_US
        rate = _rate(job, job.machine)
        lived_on_it = job.ended_us is not None and job.ended_us < day + DAY_US and not job.rate
        if lived_on_it and start_us <= day and day + DAY_US <= end_us and not job.former_machines and rate:
            if job.spent:
                _add(days[day], job, job.machine, job.spent // rate)  # it is a whole multiple
        else:
            _add_runs(days, state, job, start_us, end_us, DAY_US)
    return dict(sorted(days.items()))


def task_cost(job: Job, task: Task, now_us: int) -> int:
    """What the instances of a task cost until now, licences included: micro-dollars per hour times microseconds."""
    return sum(
        (ended - began) * _rate(job, machine) for began, ended, machine in _task_runs(job, task, now_us)
    )


def attempt_cost(job: Job, attempt: Attempt, now_us: int) -> int:
    """What the instance of an attempt cost until now, as `task_cost`."""
    ended_us = now_us if attempt.ended_us is None else attempt.ended_us
    return (ended_us - attempt.assigned_us) * _rate(job, job.machine_of(attempt))


def job_cost(job: Job, now_us: int) -> int:
    """What a job cost until now, as `task_cost` of all its tasks; none of them is looked at."""
    return job.spent + job.rate * now_us - job.rate_since


def cost_over_time(job: Job, now_us: int, times: Sequence[int]) -> list[tuple[int, int]]:
    """What a job had cost, as `task_cost`, and how many instances it had, at each of some times, in order, until now.

    Each attempt is looked at once, however many times there are.
    """
    # Per time: how the rate, the part of the cost that does not grow, and the number of instances change there.
    steps = [[0, 0, 0] for _ in range(len(times) + 1)]
    for began, ended, machine in (run for task in job.tasks for run in _task_runs(job, task, now_us)):
        rate = _rate(job, machine)
        for at_us, sign in ((began, 1), (ended, -1)):
            step = steps[bisect_left(times, at_us)]
            step[0] += sign * rate
            step[1] -= sign * rate * at_us
        steps[bisect_left(times, began)][2] += 1
        steps[bisect_right(times, ended) if ended == now_us else bisect_left(times, ended)][2] -= 1
    told, sums = [], [0, 0, 0]
    for at_us, step in zip(times, steps, strict=False):
        sums = [have + more for have, more in zip(sums, step, strict=True)]
        told.append((sums[0] * at_us + sums[1], sums[2]))
    return told


def note_taken(job: Job, attempt: Attempt) -> None:
    """An instance costs from now on."""
    rate = _rate(job, job.machine_of(attempt))
    job.rate += rate
    job.rate_since += rate * attempt.assigned_us


def note_given_back(job: Job, attempt: Attempt, ended_us: int) -> None:
    """An instance costs nothing any more; it was noted as taken."""
    rate = _rate(job, job.machine_of(attempt))
    job.rate -= rate
    job.rate_since -= rate * attempt.assigned_us
    job.spent += rate * (ended_us - attempt.assigned_us)


def rebuild(state: State) -> None:
    """Sum up the attempts of a state that was just read; there may be millions."""
    for job in state.jobs.values():
        rates = [_rate(job, machine) for machine in (*job.former_machines, job.machine)]
        job.spent = job.rate = job.rate_since = 0
        for task in job.tasks:
            for attempt in task.attempts:
                rate = rates[min(attempt.machine, len(rates) - 1)]
                if attempt.ended_us is None:
                    job.rate += rate
                    job.rate_since += rate * attempt.assigned_us
                else:
                    job.spent += rate * (attempt.ended_us - attempt.assigned_us)


def dollars(cost: int) -> float:
    """Micro-dollars per hour times microseconds, as dollars."""
    return round(cost / HOUR_US / 1_000_000, 6)


def http_date(t_us: int) -> str:
    """`t_us` as `Wed, 10 Apr 2024 07:00:00 GMT`: ISO text breaks clients here (trap 28)."""
    return datetime.fromtimestamp(t_us // SECOND, timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _runs(state: State, job: Job) -> Iterator[tuple[int, int, Machine]]:
    for task in job.tasks:
        yield from _task_runs(job, task, state.now_us)


def _task_runs(job: Job, task: Task, now_us: int) -> Iterator[tuple[int, int, Machine]]:
    for attempt in task.attempts:
        ended_us = now_us if attempt.ended_us is None else attempt.ended_us
        yield attempt.assigned_us, ended_us, job.machine_of(attempt)


def _add_runs(
    periods: dict[int, Usage], state: State, job: Job, start_us: int, end_us: int, period_us: int
) -> None:
    for began, ended, machine in _runs(state, job):
        for period, length in _split(max(began, start_us), min(ended, end_us), period_us):
            _add(periods[period], job, machine, length)


def _add(usage: Usage, job: Job, machine: Machine, length: int) -> None:
    usage.time_us += length
    usage.core_time_us += length * machine.cores
    usage.instance_cost += length * _price(job, machine)
    usage.license_cost += length * machine.license_micro_usd_per_hour


def _split(began: int, ended: int, period_us: int) -> Iterator[tuple[int, int]]:
    """The pieces of an interval by hour or day: the first microsecond of that, and the piece's length."""
    while began < ended:
        period = began - began % period_us
        piece = min(ended, period + period_us) - began
        yield period, piece
        began += piece


def _rate(job: Job, machine: Machine) -> int:
    return _price(job, machine) + machine.license_micro_usd_per_hour


def _price(job: Job, machine: Machine) -> int:
    if job.preemptible:
        return machine.preemptible_micro_usd_per_hour
    return machine.price_micro_usd_per_hour
