"""Usage: days as people count them, and rows as the service has them."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import BadArgumentError, UnexpectedAnswerError
from conductor.lib.usage import StorageDay, get_compute_usage, get_storage_usage
from support.client_world import URL

FIRST, LAST = date(2024, 4, 10), date(2024, 4, 30)
COMPUTE, STORAGE = f"{URL}/billing/get_usage", f"{URL}/billing/get_storage_usage"


def query(mock: responses.RequestsMock) -> dict[str, str]:
    asked = parse_qs(urlsplit(mock.calls[0].request.url or "").query)
    return {name: values[0] for name, values in asked.items()}


def row(start: str, **more: Any) -> dict[str, Any]:
    return {
        "start_time": start,
        "minutes": 90,
        "cores": 4.5,
        "license_cost": 0.5,
        "instance_cost": 1.25,
        **more,
    }


def test_the_last_day_is_included_in_what_is_asked_for(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", COMPUTE, json={"data": []})
    get_compute_usage(FIRST, LAST, client=client)
    asked = query(mock)
    assert json.loads(asked["filter"]) == [
        {"field": "start_time", "op": ">=", "value": "2024-04-10"},
        {"field": "start_time", "op": "<", "value": "2024-05-01"},
    ]
    assert (json.loads(asked["group_by"]), asked["order_by"]) == (["start_time"], "start_time")


def test_rows_are_sorted_and_rows_of_nothing_are_left_out(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    rows = [
        row("Thu, 11 Apr 2024 07:00:00 GMT", minutes=0, instance_cost="2"),
        row("Fri, 12 Apr 2024 07:00:00 GMT", minutes=0, instance_cost=0, license_cost=0),
        row("Wed, 10 Apr 2024 07:00:00 GMT"),
    ]
    mock.add("GET", COMPUTE, json={"data": rows})
    first, second = get_compute_usage(FIRST, LAST, client=client)
    assert first.start == datetime(2024, 4, 10, 7, tzinfo=timezone.utc)
    assert (first.minutes, first.cores, first.cost) == (90, 4.5, 1.75)
    assert (second.start.day, second.cost) == (11, 2.5)


@pytest.mark.parametrize("start", ["2024-04-10", "", None, 7])
def test_a_time_that_cannot_be_read_breaks_the_protocol(
    mock: responses.RequestsMock, client: ApiClient, start: Any
) -> None:
    mock.add("GET", COMPUTE, json={"data": [row(start)]})
    with pytest.raises(UnexpectedAnswerError, match="start_time is"):
        get_compute_usage(FIRST, LAST, client=client)


def test_storage_is_read_by_day(mock: responses.RequestsMock, client: ApiClient) -> None:
    record = {"cost_per_day": [0.01, 0.02], "gibs_per_day": [1.5, 3], "cost": "0.03", "currency": "USD"}
    mock.add("GET", STORAGE, json={"data": [record, {"cost": "9"}]})
    usage = get_storage_usage(FIRST, date(2024, 4, 11), client=client)
    assert query(mock) == {"start": "2024-04-10", "end": "2024-04-12"}
    assert usage.days == (StorageDay(FIRST, 1.5, 0.01), StorageDay(date(2024, 4, 11), 3.0, 0.02))
    assert (usage.cost, usage.currency, usage.gibs_used) == (0.03, "USD", 0.0)


def test_no_storage_at_all_is_nothing(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", STORAGE, json={"data": []})
    assert get_storage_usage(FIRST, LAST, client=client).days == ()


def test_days_and_costs_must_belong_together(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", STORAGE, json={"data": [{"cost_per_day": [1], "gibs_per_day": []}]})
    with pytest.raises(UnexpectedAnswerError, match="of one length"):
        get_storage_usage(FIRST, LAST, client=client)


def test_days_in_the_wrong_order_are_refused_before_anything_is_sent(client: ApiClient) -> None:
    with pytest.raises(BadArgumentError, match="a day that is not before 2024-04-30"):
        get_compute_usage(LAST, FIRST, client=client)
    with pytest.raises(BadArgumentError, match="last: given 2024-04-10"):
        get_storage_usage(LAST, FIRST, client=client)
