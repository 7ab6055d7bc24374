"""What rendering and storage cost (wire reference 2.20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.wire.call import Sent
from conductor.lib.wire.records import number, records_of, text

CURRENCY = "USD"
"""What costs are in where an answer does not say; those of storage do (wire reference 2.20)."""


@dataclass(frozen=True)
class ComputeUsage:
    """What ran from ``start`` on: ``minutes`` of instances, ``cores`` in hours of cores; costs in ``CURRENCY``.

    The length of a row is the service's choice; the units of ``minutes`` and ``cores`` are inferred.
    """

    start: datetime
    minutes: float
    cores: float
    instance_cost: float
    license_cost: float

    @property
    def cost(self) -> float:
        """Instances and licences together."""
        return self.instance_cost + self.license_cost


@dataclass(frozen=True)
class StorageDay:
    """What was stored on a day, in GiB, and its cost."""

    day: date
    gibs: float
    cost: float


@dataclass(frozen=True)
class StorageUsage:
    """What was stored: each day, the total cost and the average of GiB, and the price of one GiB."""

    days: tuple[StorageDay, ...]
    cost: float
    currency: str
    gibs_used: float
    daily_price: float
    monthly_price: float


def get_compute_usage(first: date, last: date, *, client: ApiClient | None = None) -> list[ComputeUsage]:
    """Return what ran from the first to the last day, both included, in order; days on which nothing ran are left out.

    Raises BadArgumentError if the last day is before the first.
    """
    end = _day_after(first, last)
    with client_or_own(client) as api:
        sent = api.calls.billing_get_usage(first.isoformat(), end.isoformat())
    rows = [_compute(record, sent) for record in records_of(sent)]
    # The service answers with a row of zeros where nothing ran at all, since its clients fail without any.
    return sorted((row for row in rows if row.minutes or row.cost), key=lambda row: row.start)


def _compute(record: Mapping[str, Any], sent: Sent) -> ComputeUsage:
    start_time = text(record, "start_time")
    try:
        start = parsedate_to_datetime(start_time)
    except (TypeError, ValueError, OverflowError):  # Python 3.9 has a TypeError for what is no time at all
        start = None
    if start is None:
        raise sent.unexpected(
            f"start_time is {start_time!r}, not a time such as 'Wed, 10 Apr 2024 07:00:00 GMT'"
        )
    return ComputeUsage(
        start=start.replace(tzinfo=start.tzinfo or timezone.utc),
        minutes=number(record.get("minutes")),
        cores=number(record.get("cores")),
        instance_cost=number(record.get("instance_cost")),
        license_cost=number(record.get("license_cost")),
    )


def get_storage_usage(first: date, last: date, *, client: ApiClient | None = None) -> StorageUsage:
    """Return what was stored from the first to the last day, both included.

    Raises BadArgumentError if the last day is before the first.
    """
    end = _day_after(first, last)
    with client_or_own(client) as api:
        sent = api.calls.billing_get_storage_usage(first.isoformat(), end.isoformat())
    record = next(iter(records_of(sent)), {})
    costs, gibs = record.get("cost_per_day") or [], record.get("gibs_per_day") or []
    if not isinstance(costs, list) or not isinstance(gibs, list) or len(costs) != len(gibs):
        raise sent.unexpected("cost_per_day and gibs_per_day must be lists of one length")
    if len(costs) > (date.max - first).days:
        raise sent.unexpected("cost_per_day has more days than the calendar")
    return StorageUsage(
        days=tuple(
            StorageDay(first + timedelta(index), number(gib), number(cost))
            for index, (gib, cost) in enumerate(zip(gibs, costs))
        ),
        cost=number(record.get("cost")),
        currency=text(record, "currency") or CURRENCY,
        gibs_used=number(record.get("gibs_used")),
        daily_price=number(record.get("daily_price")),
        monthly_price=number(record.get("monthly_price")),
    )


def _day_after(first: date, last: date) -> date:
    """Return the day after the last: the service excludes the end of what it is asked for."""
    if last < first:
        raise BadArgumentError.listing(
            [Problem("last", last.isoformat(), f"a day that is not before {first.isoformat()}")]
        )
    return last + timedelta(1)
