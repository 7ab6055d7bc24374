"""Waiting for jobs, on a clock that only moves when somebody waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import responses

from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import BusyError, NotEndedError, RefusedError
from conductor.lib.jobs import Job
from conductor.lib.polling import Polling
from conductor.lib.waiting import wait_for_jobs
from support.client_world import URL

JOBS = f"{URL}/api/v1/jobs"
POLLING = Polling(first=1.0, factor=2.0, longest=4.0, outage=6.0)


@dataclass
class Time:
    """Seconds that pass by waiting alone."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def statuses(mock: responses.RequestsMock, *rounds: dict[str, str] | int) -> None:
    """Answer each question with jobs of these statuses, or with a refusal; the last one for ever."""
    for answer in rounds:
        if isinstance(answer, int):
            mock.add("GET", JOBS, status=answer)
        else:
            mock.add(
                "GET", JOBS, json={"data": [{"jid": jid, "status": status} for jid, status in answer.items()]}
            )


def wait(client: ApiClient, time: Time, *jids: str, **more: Any) -> list[Job]:
    return wait_for_jobs(jids, polling=POLLING, client=client, wait=time.wait, clock=time.clock, **more)


def test_it_asks_ever_more_seldom_and_anew_after_news(client: ApiClient, time: Time) -> None:
    running, syncing, done = {"00001": "running"}, {"00001": "syncing"}, {"00001": "success"}
    with responses.RequestsMock() as mock:
        statuses(mock, syncing, syncing, syncing, syncing, syncing, running, running, done)
        [job] = wait(client, time, "1")
    assert job.succeeded
    assert time.waits == [1, 2, 4, 4, 4, 1, 2]


def test_it_ends_when_the_last_job_has_and_gives_them_in_the_order_asked(
    client: ApiClient, time: Time
) -> None:
    told: list[list[str]] = []
    with responses.RequestsMock() as mock:
        statuses(
            mock,
            {"00001": "running", "00002": "failed"},
            {"00001": "running", "00002": "failed"},
            {"00001": "killed", "00002": "failed"},
        )
        jobs = wait(client, time, "2", "1", on_change=lambda jobs: told.append([job.status for job in jobs]))
    assert [(job.jid, job.status) for job in jobs] == [("00002", "failed"), ("00001", "killed")]
    assert told == [["failed", "running"], ["failed", "killed"]]


def test_the_time_to_wait_is_kept_to_the_second(client: ApiClient, time: Time) -> None:
    with responses.RequestsMock() as mock:
        statuses(mock, {"00001": "success", "00002": "holding"})
        with pytest.raises(NotEndedError, match=r"job 00002 has not ended after 4\.5 s") as caught:
            wait(client, time, "1", "2", timeout=4.5)
    assert (time.waits, caught.value.jids, caught.value.exit_code) == ([1, 2, 1.5], ("00002",), 124)


def test_a_job_that_there_is_not_is_no_reason_to_wait(client: ApiClient, time: Time) -> None:
    with responses.RequestsMock() as mock:
        statuses(mock, {"00001": "running"})
        with pytest.raises(RefusedError, match="there is no job 00002"):
            wait(client, time, "1", "2")
    assert time.waits == []


def test_a_service_that_is_away_for_a_while_is_waited_for(client: ApiClient, time: Time) -> None:
    with responses.RequestsMock() as mock:
        # Each question is five requests before it is given up.
        statuses(
            mock, {"00001": "running"}, *[503] * 10, {"00001": "running"}, *[503] * 5, {"00001": "success"}
        )
        assert wait(client, time, "1")[0].succeeded


def test_a_service_that_stays_away_is_an_error(client: ApiClient, time: Time) -> None:
    with responses.RequestsMock() as mock:
        statuses(mock, {"00001": "running"}, 503)
        with pytest.raises(BusyError):
            wait(client, time, "1")
    assert sum(time.waits[1:]) >= POLLING.outage
