"""The farm at work: what must hold for every set of jobs, whatever the steps in which time passes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import (
    actions,
    billing,
    downloads,
    history,
    leases,
    simulation,
    snapshot,
    tasks,
    uploads,
    views,
)
from conductor_mock.farm.clock import ONE, SECOND, Anchor
from conductor_mock.farm.commands import ClockSet, JobChanged, OutputsListed
from conductor_mock.farm.state import Task
from conductor_mock.farm.statuses import ENDED, Action, DownloadStatus, Outcome, TaskStatus
from conductor_mock.farm.values import OutputFile
from support.simulated import HOUR, MACHINE, Arrival, Farm, arrivals, farms, run


@given(farms, arrivals, st.lists(st.integers(0, 400 * SECOND), min_size=1, max_size=6))
def test_time_may_pass_in_one_step_or_in_many(
    options: dict[str, Any], plan: list[Arrival], steps: list[int]
) -> None:
    one, many = Farm(**options), Farm(**options)
    run(one, plan)
    run(many, plan)
    one.advance(sum(steps))
    for step in steps:
        many.advance(step)
    assert one.image() == many.image()


@given(farms, arrivals, st.integers(0, HOUR), st.integers(0, HOUR))
def test_a_snapshot_goes_on_as_the_state_does_that_it_was_taken_of(
    options: dict[str, Any], plan: list[Arrival], before: int, after: int
) -> None:
    farm = Farm(**options)
    run(farm, plan)
    farm.advance(before)
    again = Farm(**options)
    again.state = snapshot.read(farm.stored())
    assert again.image() == farm.image()
    farm.advance(after)
    again.advance(after)
    assert again.image() == farm.image()


@given(farms, arrivals, st.integers(0, HOUR), st.sets(st.integers(1, 5)))
def test_what_was_killed_keeps_the_farm_from_being_idle_neither_in_memory_nor_after_a_snapshot(
    options: dict[str, Any], plan: list[Arrival], before: int, killed: set[int]
) -> None:
    """Its events are left behind in memory, and no snapshot has them: time would stand elsewhere."""
    farm, again = Farm(**options), Farm(**options)
    jobs = run(farm, plan)
    farm.advance(before)
    for job in jobs:
        if job.number in killed and job.ended_us is None:
            farm.do(actions.act_on_jobs(farm.state, Action.KILL, [str(job.number)]))
    again.state = snapshot.read(farm.stored())
    then_us = farm.state.now_us
    farm.until_idle()
    again.until_idle()
    assert again.image() == farm.image()
    ends_us = [job.ended_us for job in jobs]
    if None not in ends_us:
        assert farm.state.now_us == max([then_us, *(end_us for end_us in ends_us if end_us is not None)])


@given(farms, arrivals)
def test_the_same_seed_gives_the_same_history_whenever_it_starts(
    options: dict[str, Any], plan: list[Arrival]
) -> None:
    early, late = Farm(**options), Farm(**options)
    late.advance(777 * SECOND)
    run(early, plan)
    run(late, plan)
    early.until_idle()
    late.until_idle()
    shift = 777 * SECOND
    for number, job in early.state.jobs.items():
        for task, other in zip(job.tasks, late.state.jobs[number].tasks, strict=True):
            assert task.status == other.status
            assert [(a.assigned_us + shift, a.outcome) for a in task.attempts] == [
                (a.assigned_us, a.outcome) for a in other.attempts
            ]


@given(farms, arrivals)
def test_no_task_is_lost_and_none_runs_twice_at_a_time(options: dict[str, Any], plan: list[Arrival]) -> None:
    farm = Farm(**options)
    jobs = run(farm, plan)
    farm.until_idle()
    assert not farm.state.active
    for job, arrival in zip(jobs, plan, strict=True):
        assert len(job.tasks) == arrival.count
        assert sum(job.counts.values()) == arrival.count
        for task in job.tasks:
            assert task.status in ENDED or task.status == "holding"
            ends = [0, *(attempt.ended_us or 0 for attempt in task.attempts)]
            assert all(a.assigned_us >= end for a, end in zip(task.attempts, ends, strict=False))


@given(farms, arrivals)
def test_there_are_never_more_instances_than_allowed(options: dict[str, Any], plan: list[Arrival]) -> None:
    farm = Farm(**options)
    jobs = run(farm, plan)
    farm.until_idle()
    if options["fleet"]:
        assert most_at_once([task for job in jobs for task in job.tasks]) <= options["fleet"]
    for job in jobs:
        if job.max_instances:
            assert most_at_once(job.tasks) <= job.max_instances


def most_at_once(found: list[Task]) -> int:
    edges = [
        edge
        for task in found
        for attempt in task.attempts
        for edge in ((attempt.assigned_us, 1), (attempt.ended_us, -1))
        if attempt.ended_us != attempt.assigned_us
    ]
    most = now = 0
    for _, change in sorted(edges, key=lambda edge: (edge[0], edge[1])):
        now += change
        most = max(most, now)
    return most


@given(st.integers(1, 3), arrivals)
def test_a_higher_priority_never_starts_after_a_lower_one_when_both_waited(
    fleet: int, plan: list[Arrival]
) -> None:
    farm = Farm(fleet=fleet)
    jobs = run(farm, [Arrival(0, one.count, {"priority": one.payload.get("priority", 5)}) for one in plan])
    farm.until_idle()
    first = [[task.attempts[0].assigned_us for task in job.tasks] for job in jobs]
    for job, starts in zip(jobs, first, strict=True):
        for other, others in zip(jobs, first, strict=True):
            if job.priority > other.priority and starts and others:
                ready = max(job.phases[-1][0], other.phases[-1][0])
                assert max(starts) <= min(
                    (start for start in others if start >= ready), default=max(starts)
                ), "a task of the lower priority got a slot while one of the higher waited"


@given(farms, arrivals)
def test_attempts_never_go_beyond_the_policy(options: dict[str, Any], plan: list[Arrival]) -> None:
    farm = Farm(**options)
    jobs = run(farm, plan)
    farm.until_idle()
    for job in jobs:
        for task in job.tasks:
            for outcome in (Outcome.FAILED, Outcome.PREEMPTED):
                ended = sum(attempt.outcome == outcome for attempt in task.attempts)
                assert ended <= job.retries.get(outcome, 0) + 1


@given(farms, arrivals)
def test_scouts_come_first_and_the_rest_waits_for_all_of_them(
    options: dict[str, Any], plan: list[Arrival]
) -> None:
    farm = Farm(**options)
    jobs = run(farm, plan)
    farm.until_idle()
    for job in jobs:
        scouts = [task for task in job.tasks if task.scout]
        rest = [task for task in job.tasks if not task.scout]
        if not scouts:
            assert not job.counts[TaskStatus.HOLDING]
        elif all(task.status == "success" for task in scouts):
            done = max(task.attempts[-1].ended_us or 0 for task in scouts)
            assert all(task.attempts[0].assigned_us >= done for task in rest)
        else:
            assert all(task.status == "holding" for task in rest)


@given(farms, arrivals)
def test_costs_are_the_sum_over_the_time_that_instances_were_held(
    options: dict[str, Any], plan: list[Arrival]
) -> None:
    farm = Farm(**options)
    jobs = run(farm, plan)
    farm.until_idle()
    hours = billing.usage_by_hour(farm.state, 0, farm.state.now_us + HOUR).values()
    held = [
        ((attempt.ended_us or 0) - attempt.assigned_us, job)
        for job in jobs
        for task in job.tasks
        for attempt in task.attempts
    ]
    assert sum(usage.time_us for usage in hours) == sum(length for length, _ in held)
    assert sum(usage.instance_cost for usage in hours) == sum(
        length
        * (MACHINE.preemptible_micro_usd_per_hour if job.preemptible else MACHINE.price_micro_usd_per_hour)
        for length, job in held
    )
    assert sum(usage.instance_cost + usage.license_cost for usage in hours) == sum(
        billing.task_cost(job, task, farm.state.now_us) for job in jobs for task in job.tasks
    )


@given(farms, arrivals, st.integers(0, 10 * HOUR))
def test_what_has_ended_stays_ended(options: dict[str, Any], plan: list[Arrival], later: int) -> None:
    farm = Farm(**options)
    run(farm, plan)
    farm.until_idle()
    before = [tasks.job_status(job) for job in farm.state.jobs.values()]
    farm.advance(later)
    assert [tasks.job_status(job) for job in farm.state.jobs.values()] == before


@given(farms, arrivals, st.integers(0, HOUR), st.integers(0, HOUR))
def test_a_job_as_it_was_is_what_was_shown_then(
    options: dict[str, Any], plan: list[Arrival], until: int, later: int
) -> None:
    farm = Farm(**options)
    jobs = run(farm, plan)
    farm.advance(until)
    then = farm.state.now_us
    shown = [(tasks.job_status(job), [task.status for task in job.tasks]) for job in jobs]
    farm.advance(later)
    assert [history.job_status_at(farm.state, job, then) for job in jobs] == shown


def test_a_job_whose_priority_fell_waits_for_those_that_are_above_it_now() -> None:
    farm = Farm(fleet=1)
    farm.submit(1, priority=9)
    lowered, other = farm.submit(1, priority=8), farm.submit(1, priority=5)
    farm.advance(10 * SECOND)  # all are ready, and the first has the only instance
    farm.do(JobChanged(lowered.number, 1, None))
    farm.until_idle()
    began = [job.tasks[0].attempts[0].started_us for job in (other, lowered)]
    assert began == sorted(began)
    assert began[0] < began[1]


def test_the_outbox_keeps_the_newest_thousand_mails() -> None:
    farm = Farm()
    for number in range(1003):
        farm.submit(0, job_title=str(number), command="upload only", notify={"emails": ["a@b.c"]})
    farm.until_idle()
    assert [mail.job for mail in farm.state.outbox] == list(range(4, 1004))


def test_held_tasks_wait_until_somebody_releases_them_where_that_is_the_setting() -> None:
    farm = Farm(release_scouts=False)
    job = farm.submit(5, scout_frames="3")
    farm.until_idle()
    assert [task.status for task in job.tasks] == ["holding", "holding", "holding", "success", "holding"]
    farm.do(actions.act_on_jobs(farm.state, Action.RELEASE_SCOUTS, ["1"]))
    farm.until_idle()
    assert job.counts[TaskStatus.SUCCESS] == 5


def test_a_killed_job_gives_its_instances_back() -> None:
    farm = Farm(fleet=2)
    first, second = farm.submit(4), farm.submit(2)
    farm.advance(80 * SECOND)
    assert first.counts[TaskStatus.RUNNING] == 2
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["00001"]))
    assert tasks.job_status(first) == "killed"
    assert second.active == 2


def test_slots_pass_over_a_job_that_was_killed_while_it_waited() -> None:
    farm = Farm(fleet=1)
    first, second, third = farm.submit(1), farm.submit(1), farm.submit(1)
    farm.advance(80 * SECOND)
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["00002"]))
    farm.until_idle()
    assert [tasks.job_status(job) for job in (first, second, third)] == ["success", "killed", "success"]


def test_tasks_that_are_released_before_the_files_are_there_wait_for_them() -> None:
    farm = Farm()
    job = farm.submit(2, scout_frames="0")
    farm.advance(2 * SECOND)
    farm.do(actions.act_on_jobs(farm.state, Action.RELEASE_SCOUTS, ["1"]))
    farm.advance(simulation.SYNC_US - 2 * SECOND - 1)
    assert [task.attempts for task in job.tasks] == [(), ()]
    farm.until_idle()
    assert [len(task.attempts) for task in job.tasks] == [1, 1]


def test_a_job_is_looked_at_once_however_often_it_is_put_into_the_queue() -> None:
    farm = Farm(fleet=1)
    farm.submit(1)
    job = farm.submit(2)
    simulation.enqueue(farm.state, job)
    assert farm.state.queue == [], "its files are not there"
    farm.advance(80 * SECOND)
    waits = [(-job.priority, job.number)]
    for _ in range(3):
        simulation.enqueue(farm.state, job)
        assert farm.state.queue == waits
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["00002"]))
    simulation.enqueue(farm.state, job)
    assert farm.state.queue == waits
    farm.until_idle()
    simulation.enqueue(farm.state, job)
    simulation.enqueue(farm.state, farm.state.jobs[1])
    assert farm.state.queue == []


@pytest.mark.parametrize("count", [2, 0])
def test_a_job_that_is_killed_while_its_files_are_copied_stays_killed(count: int) -> None:
    """One without tasks has its phase alone to say so."""
    farm = Farm()
    job = farm.submit(count)
    assert tasks.job_status(job) == "syncing"
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    again = Farm()
    again.state = snapshot.read(farm.stored())
    for one in (farm, again):
        one.until_idle()
        one.advance(HOUR)
        assert tasks.job_status(one.state.jobs[1]) == "killed"
        assert [task.attempts for task in one.state.jobs[1].tasks] == [()] * count


def test_a_farm_in_which_nothing_is_left_to_happen_waits_for_nothing() -> None:
    farm = Farm()
    job = farm.submit(3)
    assert not simulation.run_until(farm.state, lambda _: False, 2)
    assert not simulation.run_until(farm.state, lambda _: bool(job.counts[TaskStatus.SUCCESS]), 1)
    assert simulation.run_until(farm.state, lambda _: bool(job.counts[TaskStatus.RUNNING]), 1000)
    assert not job.counts[TaskStatus.SUCCESS]
    assert simulation.run_until(farm.state, lambda _: False, 1000)
    assert job.counts[TaskStatus.SUCCESS] == 3
    same = Farm()
    same.submit(3)
    left = farm.state.happened - same.state.happened
    assert simulation.run_until(same.state, lambda _: False, left), "the last of so many was the last of all"


@given(st.integers(0, 5))
def test_an_event_is_one_thing_and_an_instance_is_another_one(count: int) -> None:
    """What slices are measured by: a sync, and of each task its instance, its begin and its end."""
    farm = Farm()
    job = farm.submit(count)
    assert simulation.run_until(farm.state, lambda _: False, 1000)
    assert farm.state.happened == 1 + 3 * count
    assert job.ended_us == farm.state.now_us


@given(st.integers(1, 5))
def test_nothing_more_happens_once_so_much_has(count: int) -> None:
    farm = Farm()
    job = farm.submit(count)
    assert not simulation.run_until(farm.state, lambda _: False, 1 + count)
    assert farm.state.now_us == simulation.SYNC_US
    assert job.counts[TaskStatus.RUNNING] == 0
    assert farm.state.happened == 1 + count
    same = Farm()
    job = same.submit(count)
    assert simulation.run_until(same.state, lambda _: job.active == count, 1 + count), "it came with the last"


@given(st.integers(1, 20), st.integers(1, 7), st.booleans())
def test_what_is_not_to_happen_any_more_is_dropped_in_slices_too(count: int, most: int, others: bool) -> None:
    """A job of a million tasks that was killed leaves as many behind."""
    farm = Farm()
    farm.submit(count)
    job = farm.submit(1) if others else None
    farm.advance(10 * SECOND)
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    left = [len(farm.state.events)]
    then_us = farm.state.now_us
    while not simulation.run_until(farm.state, lambda _: False, most):
        left.append(len(farm.state.events))
    left.append(len(farm.state.events))
    assert left[0] == count + others
    assert left[-1] == 0
    assert all(before - after <= most for before, after in pairwise(left))
    assert others or {before - after for before, after in pairwise(left[:-1])} <= {most}
    assert farm.state.now_us == (then_us if job is None else job.ended_us)


def test_a_task_whose_instance_still_boots_has_run_for_no_time() -> None:
    farm = Farm()
    (task,) = farm.submit(1).tasks
    farm.advance(20 * SECOND)
    assert tasks.is_active(task)
    assert views.runtime_us(task, farm.state.now_us) == 0
    farm.advance(50 * SECOND)
    assert views.runtime_us(task, farm.state.now_us) > 0


def test_a_task_that_is_begun_anew_does_not_end_when_it_would_have() -> None:
    farm = Farm()
    (task,) = farm.submit(1, metadata={"mock_duration": "100"}).tasks
    farm.advance(100 * SECOND)
    would_have_us = task.attempts[0].ends_us
    assert would_have_us is not None
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    farm.do(actions.act_on_jobs(farm.state, Action.RETRY, ["1"]))
    farm.advance(would_have_us - farm.state.now_us)
    assert [attempt.ended_us is None for attempt in task.attempts] == [False, True]
    farm.until_idle()
    assert task.attempts[1].ended_us == 100 * SECOND + simulation.BOOT_US + 100 * SECOND


def test_files_that_are_copied_anew_are_there_when_the_last_copy_is() -> None:
    farm = Farm()
    job = farm.submit(1)
    farm.advance(2 * SECOND)
    simulation.begin_sync(farm.state, job)
    farm.advance(simulation.SYNC_US - 1)
    assert tasks.job_status(job) == "syncing"
    farm.advance(1)
    assert tasks.job_status(job) == "pending"


def test_a_mail_is_written_when_a_job_ends_and_again_when_it_ends_again() -> None:
    farm = Farm()
    farm.submit(1, notify={"emails": ["fred@flintstones.com"]})
    farm.until_idle()
    farm.do(actions.act_on_jobs(farm.state, Action.RETRY, ["1"]))
    farm.until_idle()
    assert [(mail.job, mail.status, mail.to) for mail in farm.state.outbox] == 2 * [
        (1, "success", ("fred@flintstones.com",))
    ]


def test_a_claim_that_nobody_reports_on_is_offered_again_after_its_lease() -> None:
    farm = daemon_farm()
    farm.do(uploads.claim(farm.state, None))
    assert uploads.claim(farm.state, None) is None
    farm.advance(leases.UPLOAD_S * SECOND - 1)
    assert uploads.claim(farm.state, None) is None
    farm.advance(1)
    assert uploads.claim(farm.state, None) is not None


def test_a_report_renews_a_claim() -> None:
    farm = daemon_farm()
    farm.do(uploads.claim(farm.state, None))
    farm.advance(leases.UPLOAD_S * SECOND - 1)
    farm.do(uploads.progress(farm.state, "u00001", bytes_to_send=2, bytes_sent=1))
    farm.advance(leases.UPLOAD_S * SECOND - 1)
    assert uploads.claim(farm.state, None) is None


@given(st.integers(1, 100), st.integers(1, 100))
def test_a_lease_lasts_as_long_for_its_holder_whatever_the_speed_becomes(first: int, second: int) -> None:
    farm = daemon_farm()
    farm.do(ClockSet(Anchor(0, farm.state.now_us, first * ONE)))
    farm.do(uploads.claim(farm.state, None))
    farm.advance(leases.UPLOAD_S * SECOND * first // 2)  # half of it has passed
    farm.do(ClockSet(Anchor(0, farm.state.now_us, second * ONE)))
    farm.advance(leases.UPLOAD_S * SECOND * second // 2 - 2 * second)
    assert uploads.claim(farm.state, None) is None
    farm.advance(4 * second)
    assert uploads.claim(farm.state, None) is not None


def test_outputs_that_were_offered_are_offered_again_after_their_lease() -> None:
    farm = Farm()
    farm.submit(1)
    farm.until_idle()
    job, index = next(downloads.waiting(farm.state, None))
    farm.do(downloads.offer(farm.state, job, index))
    assert not list(downloads.waiting(farm.state, None))
    farm.advance(leases.DOWNLOAD_S * SECOND)
    assert list(downloads.waiting(farm.state, None)) == [(job, index)]


def test_what_an_earlier_attempt_left_is_gone_once_a_task_runs_again() -> None:
    farm = Farm()
    job = farm.submit(1)
    farm.until_idle()
    farm.do(OutputsListed(job.number, 0, (OutputFile("a.exr", "", 1),)))
    farm.do(downloads.offer(farm.state, job, 0))
    (task,) = job.tasks
    assert task.outputs
    assert task.download
    farm.do(actions.act_on_jobs(farm.state, Action.RETRY, ["1"]))
    farm.advance(0)
    (now,) = job.tasks
    assert tasks.is_active(now)
    assert (now.outputs, now.download) == (None, None)
    farm.until_idle()
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)], "it is offered anew"


def daemon_farm() -> Farm:
    farm = Farm()
    farm.submit(1, local_upload=False, upload_files=[{"destination": "/a", "md5": None, "st_size": 1}])
    return farm


def test_a_downloader_that_reports_late_and_then_dies_does_not_keep_its_outputs_for_ever() -> None:
    farm = Farm()
    job = farm.submit(1)
    farm.until_idle()
    farm.do(downloads.offer(farm.state, job, 0))
    farm.advance(leases.DOWNLOAD_S * SECOND)
    farm.do(
        downloads.report(farm.state, "d00001-000-1", status=DownloadStatus.DOWNLOADING, bytes_downloaded=1)
    )
    assert not list(downloads.waiting(farm.state, None))
    farm.advance(leases.DOWNLOAD_S * SECOND)
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


def test_the_rest_waits_for_every_scout_also_when_one_of_them_runs_twice() -> None:
    farm = Farm(fleet=1)
    job = farm.submit(3, scout_frames="0,1")
    while not job.counts[TaskStatus.SUCCESS]:
        farm.advance(SECOND)
    farm.do(actions.act_on_tasks(farm.state, Action.RETRY, "1", ["0"]))
    farm.do(actions.act_on_tasks(farm.state, Action.HOLD, "1", ["1"]))
    while not job.counts[TaskStatus.SUCCESS]:
        farm.advance(SECOND)
    assert [task.status for task in job.tasks] == ["success", "holding", "holding"]


def test_the_rest_waits_for_scouts_that_succeed_and_for_nobody_else() -> None:
    farm = Farm(fleet=1)
    job = farm.submit(4, scout_frames="0,1")
    farm.do(actions.act_on_tasks(farm.state, Action.HOLD, "1", ["1"]))
    farm.do(actions.act_on_tasks(farm.state, Action.UNHOLD, "1", ["3"]))
    farm.until_idle()
    assert [task.status for task in job.tasks] == ["success", "holding", "holding", "success"]
    failing = farm.submit(2, scout_frames="0", metadata={"mock_outcome": "failed", "mock_frames": "0"})
    farm.until_idle()
    assert [task.status for task in failing.tasks] == ["failed", "holding"]


def test_what_is_held_after_the_scouts_is_not_released_by_a_scout_that_runs_again() -> None:
    farm = Farm()
    job = farm.submit(2, scout_frames="0", max_instances=1)
    while not job.counts[TaskStatus.SUCCESS]:
        farm.advance(SECOND)
    farm.do(actions.act_on_tasks(farm.state, Action.HOLD, "1", ["1"]))
    farm.do(actions.act_on_tasks(farm.state, Action.RETRY, "1", ["0"]))
    farm.until_idle()
    assert [task.status for task in job.tasks] == ["success", "holding"]
