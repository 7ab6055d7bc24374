"""Usage and storage: what ran and what it cost, by hour, by day and by the metadata of jobs."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import billing, fold, snapshot
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import AccountOpened, Command, JobChanged, JobCreated
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.values import Machine, Options
from support.server import Answer, ApiCaller, Fake

HOUR = 3600 * SECOND
MACHINES = [
    Machine(
        "small",
        cores=2,
        price_micro_usd_per_hour=100_000,
        preemptible_micro_usd_per_hour=30_000,
        license_micro_usd_per_hour=5_000,
        speed=100,
    ),
    Machine(
        "large",
        cores=16,
        price_micro_usd_per_hour=900_001,
        preemptible_micro_usd_per_hour=70_003,
        license_micro_usd_per_hour=0,
        speed=333,
    ),
]


def opened() -> State:
    options = Options(fold.SIMULATION_VERSION, "", 1, 0, "gcs", 1 << 30, release_scouts=True)
    return fold.follow(None, Record(1, 0, AccountOpened("me", "5", "", options, Anchor(0, 0, 0))))


def do(state: State, command: Command) -> None:
    fold.follow(state, Record(state.seq + 1, state.now_us, command))


@st.composite
def histories(draw: st.DrawFn) -> State:
    """Jobs of two shots on two machines, some of which get another machine under way, and time that passes."""
    state = opened()
    for _ in range(draw(st.integers(1, 6))):
        fold.advance(state, state.now_us + draw(st.integers(0, 5000)) * SECOND)
        if draw(st.booleans()) and state.jobs:
            number = draw(st.sampled_from(sorted(state.jobs)))
            do(state, JobChanged(number, None, draw(st.sampled_from(MACHINES))))
        else:
            payload = {
                "tasks_data": [{"command": "r"}] * draw(st.integers(1, 4)),
                "max_instances": draw(st.integers(0, 2)),
                "preemptible": draw(st.booleans()),
                "metadata": {
                    "shot": draw(st.sampled_from(["a", "b"])),
                    "mock_duration": draw(st.sampled_from(["0", "59", "9000"])),
                    "mock_outcome": draw(st.sampled_from(["success", "preempted,success"])),
                },
                "autoretry_policy": {"preempted": {"max_retries": 2}},
            }
            do(state, JobCreated(payload, "", draw(st.sampled_from(MACHINES))))
    fold.advance(state, state.now_us + draw(st.integers(0, 20_000)) * SECOND)
    return state


def total(hours: dict[int, billing.Usage]) -> tuple[int, ...]:
    return tuple(
        sum(getattr(usage, name) for usage in hours.values())
        for name in ("time_us", "core_time_us", "instance_cost", "license_cost")
    )


@given(histories())
def test_costs_are_the_sum_over_what_each_attempt_held_at_the_price_of_its_machine(state: State) -> None:
    expected = [0, 0, 0, 0]
    for job in state.jobs.values():
        for task in job.tasks:
            for attempt in task.attempts:
                machine = job.machine_of(attempt)
                length = (
                    state.now_us if attempt.ended_us is None else attempt.ended_us
                ) - attempt.assigned_us
                price = (
                    machine.preemptible_micro_usd_per_hour
                    if job.preemptible
                    else machine.price_micro_usd_per_hour
                )
                for number, rate in enumerate((1, machine.cores, price, machine.license_micro_usd_per_hour)):
                    expected[number] += length * rate

    assert total(billing.usage_by_hour(state, 0, state.now_us + HOUR)) == tuple(expected)


@given(histories())
def test_the_cost_of_a_job_is_that_of_its_tasks_and_of_their_attempts_also_after_it_was_read_again(
    state: State,
) -> None:
    for known in (state, snapshot.read(snapshot.write(state))):
        for job in known.jobs.values():
            costs = [billing.task_cost(job, task, known.now_us) for task in job.tasks]
            assert billing.job_cost(job, known.now_us) == sum(costs)
            for task, cost in zip(job.tasks, costs, strict=True):
                attempts = (billing.attempt_cost(job, attempt, known.now_us) for attempt in task.attempts)
                assert sum(attempts) == cost


@given(histories(), st.integers(0, 30_000))
def test_usage_of_two_spans_is_that_of_both_together(state: State, split_s: int) -> None:
    end = max(state.now_us, split_s * SECOND) + HOUR
    parts = [
        total(billing.usage_by_hour(state, *span))
        for span in ((0, split_s * SECOND), (split_s * SECOND, end))
    ]

    assert tuple(map(sum, zip(*parts, strict=True))) == total(billing.usage_by_hour(state, 0, end))


@given(histories())
def test_usage_by_metadata_adds_up_to_all_of_it(state: State) -> None:
    def is_a(job: Job) -> bool:
        return bool(job.metadata["shot"] == "a")

    end = state.now_us + HOUR
    parts = [
        total(billing.usage_by_hour(state, 0, end, is_a)),
        total(billing.usage_by_hour(state, 0, end, lambda job: not is_a(job))),
    ]

    assert tuple(map(sum, zip(*parts, strict=True))) == total(billing.usage_by_hour(state, 0, end))


@given(histories())
def test_an_hour_holds_no_more_than_its_instances_had(state: State) -> None:
    hours = billing.usage_by_hour(state, 0, state.now_us + HOUR)
    attempts = sum(len(task.attempts) for job in state.jobs.values() for task in job.tasks)

    assert list(hours) == sorted(hours)
    for began, usage in hours.items():
        assert began % HOUR == 0
        assert 0 < usage.time_us <= attempts * HOUR


PRICES = [one.name for one in fields(Machine) if one.name.endswith("_micro_usd_per_hour")]


@pytest.mark.parametrize("name", PRICES)
def test_every_price_of_a_machine_is_charged(name: str) -> None:
    prices: dict[str, Any] = dict.fromkeys(PRICES, 0)
    state = opened()
    for preemptible in (True, False):
        payload = {
            "tasks_data": [{"command": "r"}],
            "preemptible": preemptible,
            "metadata": {"mock_duration": "60"},
        }
        do(state, JobCreated(payload, "", replace(MACHINES[0], **{**prices, name: 1_000_000})))
    fold.advance(state, HOUR)
    costs = [billing.task_cost(job, job.tasks[0], state.now_us) for job in state.jobs.values()]

    assert any(costs), f"what a machine costs leaves {name} out"
    _, _, instance_cost, license_cost = total(billing.usage_by_hour(state, 0, HOUR))
    assert instance_cost + license_cost == sum(costs)


def usage(caller: ApiCaller, *terms: tuple[str, str, Any]) -> Answer:
    text = json.dumps([{"field": field, "op": op, "value": value} for field, op, value in terms])
    return caller.get("/billing/get_usage", query={"filter": text})


def ran(fake: Fake) -> ApiCaller:
    """Two shots: one task of an hour less a second each, and two of them."""
    caller = fake.caller()
    for shot, count in (("a", 1), ("b", 2)):
        caller.submit(
            metadata={"shot": shot, "mock_duration": str(3600 - 65), "take": 7},
            instance_type="n1-standard-4",
            tasks_data=[{"command": "r"}] * count,
        )
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": "studio"})
    return caller


def test_usage_is_told_by_the_hour_in_minutes_core_hours_and_dollars(fake: Fake) -> None:
    caller = ran(fake)
    machine = fake.service.catalog.machine("n1-standard-4")
    assert machine is not None
    (row,) = usage(caller).json()["data"]

    assert row["start_time"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert row["minutes"] == pytest.approx(3 * (3600 - 5) / 60, abs=1e-3)
    assert row["cores"] == pytest.approx(3 * 4 * (3600 - 5) / 3600, abs=1e-3)
    dollars = 3 * machine.price_micro_usd_per_hour / 1_000_000 * (3600 - 5) / 3600
    assert row["instance_cost"] == pytest.approx(dollars, abs=1e-6)
    assert row["license_cost"] == 0


def test_licenses_of_a_jobs_software_cost_by_the_hour(fake: Fake) -> None:
    caller = fake.caller()
    offered = fake.service.catalog
    package = next(one for one in offered.packages if offered.license(one["product"]))
    caller.submit(software_package_ids=[package["package_id"]], metadata={"mock_duration": "3540"})
    caller.post("/_mock/clock", {"advance": 3 * 3600}, query={"account": "studio"})
    rows = usage(caller).json()["data"]

    assert sum(row["license_cost"] for row in rows) == pytest.approx(
        offered.license(package["product"]) / 1_000_000, abs=1e-5
    )
    assert len(rows) == 2  # it began five seconds after the hour


def test_usage_is_filtered_by_metadata(fake: Fake) -> None:
    caller = ran(fake)
    minutes = {
        shot: usage(caller, ("metadata.shot", "==", shot)).json()["data"][0]["minutes"]
        for shot in ("a", "b", "c")
    }
    both = usage(caller, ("metadata.shot", "==", "b"), ("metadata.take", "==", "7")).json()["data"][0]
    none = usage(caller, ("metadata.shot", "==", "b"), ("metadata.nothing", "==", "None")).json()["data"]
    later = usage(caller, ("metadata.shot", "==", "b"), ("start_time", ">=", "2026-01-02")).json()["data"]

    assert minutes["b"] == pytest.approx(2 * minutes["a"], abs=1e-3)
    assert minutes["c"] == 0
    assert both["minutes"] == minutes["b"]
    assert none[0]["minutes"] == later[0]["minutes"] == 0


@pytest.mark.parametrize(
    "term",
    [
        ("metadata.shot", ">=", "a"),
        ("metadata.shot", "==", 5),
        ("metadata.shot", "==", None),
        ("metadata", "==", "a"),
        ("start_time", "==", "2026-01-01"),
        (None, "==", "a"),
    ],
)
def test_a_usage_filter_that_nobody_knows_is_refused(shared_fake: Fake, term: tuple[str, str, Any]) -> None:
    answer = usage(shared_fake.newcomer(), term)

    assert answer.status == 400
    assert "metadata" in answer.faults["filter"]


def test_jobs_are_filtered_by_metadata(fake: Fake) -> None:
    caller = fake.caller()
    for metadata in ({"shot": "a", "my_take": "9"}, {"shot": "a", "my_take": "10"}, {"shot": "b"}, None):
        caller.submit(metadata=metadata)

    def found(text: str) -> list[str]:
        return [job["jid"] for job in caller.jobs(filter=text)]

    assert found("metadata.shot_eq_a") == ["00001", "00002"]
    assert found("metadata.shot_eq_a,metadata.my_take_gt_9") == ["00002"]
    assert found("metadata.shot_eq_b,jid_gt_00003") == []
    assert found("metadata.shot_gt_a") == ["00003"]
    assert found("metadata.other_eq_a") == []
    assert caller.get("/api/v1/jobs", query={"filter": "metadata._eq_a"}).status == 400


def test_storage_is_told_by_the_day_from_when_each_content_came(fake: Fake) -> None:
    caller = fake.caller()
    ask = {"account": "studio"}
    day = {"advance": 24 * 3600}
    caller.upload("/proj/a", bytes(3 << 20))
    caller.post("/_mock/clock", day, query=ask)
    caller.upload("/proj/b", b"x" * (2 << 20))
    caller.upload("/proj/copy", bytes(3 << 20))  # a content is stored, and billed, once
    caller.post("/_mock/clock", day, query=ask)
    query = {"start": "2025-12-31", "end": "2026-01-04"}
    (answer,) = caller.get("/billing/get_storage_usage", query=query).json()["data"]
    gib = 1 << 30

    assert answer["gibs_per_day"] == pytest.approx(
        [0, (3 << 20) / gib, (5 << 20) / gib, (5 << 20) / gib], abs=1e-6
    )
    assert answer["cost_per_day"] == pytest.approx(
        [gibs * float(answer["monthly_price"]) / 30 for gibs in answer["gibs_per_day"]], abs=1e-6
    )
    assert (answer["storage_unit"], answer["currency"]) == ("GiB", "USD")
