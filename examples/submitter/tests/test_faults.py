"""What a bad network does to a submission: nothing, or an error that says so."""

from __future__ import annotations

from typing import Any

import pytest

from conductor.lib.exceptions import TryAgainError
from conductor_mock.testkit import Fake
from submitter import Shot, submit

BAD_LUCK: list[tuple[str, str, dict[str, Any]]] = [
    ("auth.token", "status", {"status": 503}),
    ("files.get_upload_urls", "reset", {}),
    ("objects.put", "truncate", {}),
    ("objects.put", "status", {"status": 500, "times": 2}),
    ("jobs.create", "status", {"status": 503}),
    ("jobs.create", "lost_answer", {}),
]


@pytest.mark.parametrize(("operation", "kind", "options"), BAD_LUCK)
def test_bad_luck_costs_time_and_no_second_job(
    conductor_in_process: Fake, shot: Shot, operation: str, kind: str, options: dict[str, Any]
) -> None:
    fake = conductor_in_process
    fault = fake.faults.add(operation, kind, **options)
    with fake.client() as client:
        submit(shot, client)
    assert fault.consumed == options.get("times", 1)
    fake.assert_exactly_once()
    fake.assert_commands_uploaded()


def test_a_service_that_asks_for_patience_gets_it(conductor_in_process: Fake, shot: Shot) -> None:
    conductor_in_process.faults.add("jobs.create", status=429, retry_after=90)
    with conductor_in_process.client() as client:
        submit(shot, client)
    assert 90 in conductor_in_process.waits.all


def test_a_service_that_is_not_there_is_an_error(conductor_in_process: Fake, shot: Shot) -> None:
    conductor_in_process.stop()
    with conductor_in_process.client() as client, pytest.raises(TryAgainError):
        submit(shot, client)
    assert conductor_in_process.jobs == []
