"""What ran and what it cost, by day, by project, by user and by metadata."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from conductor_mock.control.selection import state_to_show
from conductor_mock.dashboard.shown import money, show, span
from conductor_mock.farm import billing
from conductor_mock.farm.billing import DAY_US
from conductor_mock.wire.masking import mask_variable

DAYS = 30
MOST_ROWS = 50
HEIGHT = 100


def usage() -> str:
    """The last days of the account in simulated time, and what its projects and users cost so far."""
    with state_to_show() as state:
        account, now_us = state.client_id, state.now_us
        today = now_us - now_us % DAY_US
        first = today - (DAYS - 1) * DAY_US
        used = billing.usage_by_day(state, first, today + DAY_US)
        costs = [(job, billing.job_cost(job, now_us)) for job in state.jobs.values()]
        groups = (
            ("By project", _costs((job.project, cost) for job, cost in costs)),
            ("By user", _costs((job.owner, cost) for job, cost in costs)),
            (
                "By metadata",
                _costs(
                    (f"{name} {mask_variable(name, str(value))}", cost)
                    for job, cost in costs
                    for name, value in job.metadata.items()
                ),
            ),
        )
        total = sum(cost for _, cost in costs)
    days = _by_day(used, first, today)
    return show(
        "usage.html",
        account=account,
        area="/usage",
        days=days,
        used=[day for day in reversed(days) if day["ran"]],
        groups=groups,
        total=money(total),
    )


def _by_day(used: Mapping[int, billing.Usage], first: int, today: int) -> list[dict[str, Any]]:
    """A row for each day, and how high its bar stands."""
    days = {day: used.get(day, billing.Usage()) for day in range(first, today + 1, DAY_US)}
    most = max(one.instance_cost + one.license_cost for one in days.values()) or 1
    return [
        {
            "day": f"{datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=day // DAY_US):%Y-%m-%d}",
            "ran": span(one.time_us) if one.time_us else "",
            "core_hours": f"{one.core_time_us / billing.HOUR_US:.2f}",
            "cost": money(one.instance_cost + one.license_cost),
            "height": round((one.instance_cost + one.license_cost) * HEIGHT / most, 2),
        }
        for day, one in days.items()
    ]


def _costs(costs: Iterable[tuple[str, int]]) -> list[dict[str, str | int]]:
    """What is of each name: its costs and how many jobs it has, the dearest first."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, cost in costs:
        one = sums[name]
        one[0] += cost
        one[1] += 1
    dearest = sorted(sums.items(), key=lambda entry: (-entry[1][0], entry[0]))[:MOST_ROWS]
    return [
        {"name": name or "not given", "cost": money(cost), "jobs": jobs} for name, (cost, jobs) in dearest
    ]
