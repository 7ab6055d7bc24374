"""What ran and what it cost, by day, by project and by user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from conductor_mock.control.selection import state_to_show
from conductor_mock.dashboard.shown import money, show, span
from conductor_mock.farm import billing
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.state import State

DAY_US = 86_400 * SECOND
DAYS = 30
HEIGHT = 100


def usage() -> str:
    """The last days of the account in simulated time, and what its projects and users cost so far."""
    with state_to_show() as state:
        account, now_us = state.client_id, state.now_us
        today = now_us - now_us % DAY_US
        first = today - (DAYS - 1) * DAY_US
        hours = billing.usage_by_hour(state, first, today + DAY_US)
        groups = (("By project", _costs(state, "project")), ("By user", _costs(state, "owner")))
        total = sum(billing.job_cost(job, now_us) for job in state.jobs.values())
    days = _by_day(hours, first, today)
    return show(
        "usage.html",
        account=account,
        area="/usage",
        days=days,
        used=[day for day in reversed(days) if day["ran"]],
        groups=groups,
        total=money(total),
    )


def _by_day(hours: Mapping[int, billing.Usage], first: int, today: int) -> list[dict[str, Any]]:
    """A row for each day, and how high its bar stands."""
    costs: dict[int, list[int]] = {day: [0, 0, 0] for day in range(first, today + 1, DAY_US)}
    for hour, used in hours.items():
        sums = costs[hour - hour % DAY_US]
        for at, value in enumerate((used.time_us, used.core_time_us, used.instance_cost + used.license_cost)):
            sums[at] += value
    most = max((cost for _, _, cost in costs.values()), default=0) or 1
    return [
        {
            "day": f"{datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=day // DAY_US):%Y-%m-%d}",
            "ran": span(time_us) if time_us else "",
            "core_hours": f"{core_us / billing.HOUR_US:.2f}",
            "cost": money(cost),
            "height": round(cost * HEIGHT / most, 2),
        }
        for day, (time_us, core_us, cost) in costs.items()
    ]


def _costs(state: State, by: str) -> list[dict[str, str | int]]:
    """What each project, or user, cost and how many jobs it has, the dearest first."""
    costs: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for job in state.jobs.values():
        sums = costs[getattr(job, by)]
        sums[0] += billing.job_cost(job, state.now_us)
        sums[1] += 1
    dearest = sorted(costs.items(), key=lambda entry: (-entry[1][0], entry[0]))[:50]
    return [
        {"name": name or "not given", "cost": money(cost), "jobs": jobs} for name, (cost, jobs) in dearest
    ]
