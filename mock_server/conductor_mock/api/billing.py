"""`billing.*`: what ran and what is stored, and what it cost (wire reference 2.20)."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, request

from conductor_mock.api.record_filters import METADATA
from conductor_mock.context import caller, service
from conductor_mock.errors import wrong_value
from conductor_mock.farm import billing as farm
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.state import Job

billing = Blueprint("billing", __name__)

Json = dict[str, Any]

GIB = 1 << 30
MONTHLY_PRICE_PER_GIB = 0.20
"""Dollars; inferred: no client shows the real one."""
DAYS_PER_MONTH = 30
MAX_DAYS = 3660

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@billing.get("/billing/get_usage")
def get_usage() -> Json:
    """Compute usage per hour; one row of zeros where nothing ran, since no row breaks clients (trap 27)."""
    start_us, end_us, metadata = _usage_filter(request.args.get("filter", ""))

    def has_metadata(job: Job) -> bool:
        return all(name in job.metadata and str(job.metadata[name]) == value for name, value in metadata)

    with service().accounts.open(caller().account_id) as account:
        hours = farm.usage_by_hour(account.state, start_us, end_us, has_metadata)
    rows = hours or {start_us: farm.Usage()}
    return {"data": [_usage_row(number, t_us, usage) for number, (t_us, usage) in enumerate(rows.items())]}


@billing.get("/billing/get_storage_usage")
def get_storage_usage() -> Json:
    """Storage per day from `start` to before `end`: what was stored at the end of each day."""
    start, end = _date("start", request.args.get("start")), _date("end", request.args.get("end"))
    days = _days(start, end)
    stored = service().contents.stored(caller().account_id)
    gibs = [
        round(sum(size for t_us, size in stored if t_us < _us(day + timedelta(1))) / GIB, 6) for day in days
    ]
    daily_price = MONTHLY_PRICE_PER_GIB / DAYS_PER_MONTH
    costs = [round(gib * daily_price, 6) for gib in gibs]
    return {
        "data": [
            {
                "start_date": f"{start:%Y-%m-%d}",
                "end_date": f"{end:%Y-%m-%d}",
                "cost": f"{sum(costs):.2f}",
                "cost_per_day": costs,
                "currency": "USD",
                "daily_price": f"{daily_price:.4f}",
                "monthly_price": f"{MONTHLY_PRICE_PER_GIB:.2f}",
                "gibs_per_day": gibs,
                "gibs_used": f"{sum(gibs) / len(gibs):.2f}",
                "storage_unit": "GiB",
            }
        ]
    }


def _usage_row(number: int, t_us: int, usage: farm.Usage) -> Json:
    return {
        "start_time": farm.http_date(t_us),
        "minutes": round(usage.time_us / (60 * SECOND), 4),
        "cores": round(usage.core_time_us / farm.HOUR_US, 4),
        "instance_cost": farm.dollars(usage.instance_cost),
        "license_cost": farm.dollars(usage.license_cost),
        "self_link": number,
    }


def _usage_filter(text: str) -> tuple[int, int, list[tuple[str, str]]]:
    """A usage filter: from when to when in microseconds, and the metadata that jobs must have.

        [{"field": "start_time", "op": ">=", "value": DATE}, {"field": "metadata.shot", "op": "==", "value": "sq010"}]

    Clients send `start_time` with >= and <; metadata is inferred.
    """
    start, end = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, tzinfo=timezone.utc)
    try:
        terms = json.loads(text or "[]")
    except (ValueError, RecursionError) as error:
        raise wrong_value("filter", f"is not JSON: {error}") from None
    if not isinstance(terms, list) or not all(isinstance(term, dict) for term in terms):
        raise wrong_value("filter", "must be a JSON list of objects with field, op and value")
    metadata = []
    for term in terms:
        if str(term.get("field")).startswith(METADATA):
            metadata.append(_metadata(term))
            continue
        if term.get("field") != "start_time" or term.get("op") not in (">=", "<"):
            known = "start_time with >= and <, and metadata.NAME with =="
            raise wrong_value("filter", f"accepts {known}, got {json.dumps(term)[:80]}")
        day = _date("filter", term.get("value"))
        start, end = (day, end) if term["op"] == ">=" else (start, day)
    if end < start:  # equal they may be: the vendor's client takes its second date for the last day
        raise wrong_value("filter", f"ends at {end:%Y-%m-%d}, before it begins at {start:%Y-%m-%d}")
    return _us(start), _us(end), metadata


def _metadata(term: Json) -> tuple[str, str]:
    """Name and value of a term on metadata."""
    if term.get("op") != "==" or not isinstance(term.get("value"), str):
        raise wrong_value("filter", f"compares metadata with == and a text, got {json.dumps(term)[:80]}")
    return str(term["field"]).removeprefix(METADATA), str(term["value"])


def _days(start: datetime, end: datetime) -> list[datetime]:
    count = (end - start).days
    if not 1 <= count <= MAX_DAYS:
        raise wrong_value("end", f"must be 1 to {MAX_DAYS} days after start, got {count}")
    return [start + timedelta(number) for number in range(count)]


def _date(name: str, value: object) -> datetime:
    wrong = wrong_value(name, f"must be a date YYYY-MM-DD, got {str(value)[:40]!r}")
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise wrong
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        raise wrong from None


def _us(day: datetime) -> int:
    return int(day.timestamp()) * SECOND
