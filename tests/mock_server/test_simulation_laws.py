"""The farm's laws in whole lives: jobs of every kind, daemons, rules and people's actions in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from conductor_mock.farm import (
    billing,
    downloads,
    history,
    lookup,
    queues,
    snapshot,
    tasks,
)
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DownloadStatus, JobStatus, Outcome, Phase, TaskStatus
from support.golden import as_before
from support.lives import LOCATIONS, REPORTS, Step, crowded_lives, decided, live, lives
from support.simulated import HOUR, MACHINE, Farm, farms
from support.states import image


@given(farms, lives, st.data())
def test_a_life_is_the_same_however_its_time_is_cut(
    options: dict[str, Any], life: list[Step], data: st.DataObject
) -> None:
    whole, cut = Farm(**options), Farm(**options)

    def in_pieces(us: int) -> None:
        marks = sorted(data.draw(st.lists(st.integers(0, us), max_size=3)))
        for begin, end in zip([0, *marks], [*marks, us], strict=True):
            cut.advance(end - begin)

    live(whole, life)
    live(cut, life, in_pieces)
    whole.advance(10 * HOUR)
    in_pieces(10 * HOUR)
    assert whole.image() == cut.image()


@given(farms, lives)
def test_the_same_seed_gives_the_same_life(options: dict[str, Any], life: list[Step]) -> None:
    one, other = Farm(**options), Farm(**options)
    live(one, life)
    live(other, life)
    assert one.image() == other.image()


@given(farms, lives)
def test_to_decide_changes_nothing_whether_it_is_allowed_or_not(
    options: dict[str, Any], life: list[Step]
) -> None:
    farm = Farm(**options)
    for step in life:
        farm.advance(step.after_us)
        before = farm.image()
        command = decided(farm.state, step)
        assert farm.image() == before
        if command is not None:
            farm.do(command)


@given(farms, lives)
def test_no_task_is_lost_and_none_has_two_machines_at_a_time(
    options: dict[str, Any], life: list[Step]
) -> None:
    farm = Farm(**options)
    live(farm, life)
    farm.until_idle()
    assert farm.state.active == 0
    for job in farm.state.jobs.values():
        assert +job.counts == Counter(task.status for task in job.tasks)
        for task in job.tasks:
            assert task.status != "running"
            assert task.status != "pending" or job.phase != Phase.READY
            end = 0
            for attempt in task.attempts:
                assert attempt.ended_us is not None
                assert end <= attempt.assigned_us <= attempt.started_us <= attempt.ended_us
                end = attempt.ended_us


def moments(farm: Farm, us: int) -> Iterator[State]:
    """The state at each moment at which something happens in the time to come."""
    end = farm.state.now_us + us
    while farm.state.events and farm.state.events[0][0] <= end:
        farm.advance(farm.state.events[0][0] - farm.state.now_us)
        yield farm.state
    farm.advance(end - farm.state.now_us)
    yield farm.state


@given(farms, lives)
def test_machines_are_given_to_whom_they_belong_at_every_moment(
    options: dict[str, Any], life: list[Step]
) -> None:
    """Never more than the limits; none idle while a task may have it; the higher priority first, then the older job."""
    farm = Farm(**options)

    def watch(us: int) -> None:
        for state in moments(farm, us):
            check_machines(state, options["fleet"])

    live(farm, life, watch)
    watch(HOUR)


def check_machines(state: State, fleet: int) -> None:
    ready = [job for job in state.jobs.values() if job.phase == Phase.READY]
    active = {job.number: sum(map(tasks.is_active, job.tasks)) for job in state.jobs.values()}
    assert state.active == sum(active.values())
    assert not fleet or state.active <= fleet
    assert all(job.active == active[job.number] for job in state.jobs.values())
    assert all(not job.max_instances or job.active <= job.max_instances for job in state.jobs.values())
    wanting = [
        job for job in ready if waits(job) and not (job.max_instances and job.active >= job.max_instances)
    ]
    assert not wanting or (fleet and state.active == fleet), "a machine is idle"
    given_now = [job for job in state.jobs.values() if takes_now(state, job)]
    for job in given_now:
        for other in wanting:
            assert (-job.priority, job.number) <= (-other.priority, other.number), "it was another one's turn"


def waits(job: Job) -> bool:
    return any(task.status == "pending" and not tasks.is_active(task) for task in job.tasks)


def takes_now(state: State, job: Job) -> bool:
    """Whether a task of the job got its machine at this moment, for it to boot: by force none is booted."""
    return any(
        tasks.is_active(task) and task.attempts[-1].assigned_us == state.now_us < task.attempts[-1].started_us
        for task in job.tasks
    )


@given(farms, lives)
def test_attempts_since_a_task_was_last_started_never_go_beyond_the_policy(
    options: dict[str, Any], life: list[Step]
) -> None:
    farm = Farm(**options)
    live(farm, life)
    farm.until_idle()
    for job in farm.state.jobs.values():
        for task in job.tasks:
            for outcome in (Outcome.FAILED, Outcome.PREEMPTED):
                assert tasks.tries(task, outcome) <= job.retries.get(outcome, 0) + 1


@given(farms, lives)
def test_costs_are_the_sum_over_the_time_that_machines_were_held(
    options: dict[str, Any], life: list[Step]
) -> None:
    farm = Farm(**options)
    live(farm, life)
    now = farm.state.now_us
    hours = billing.usage_by_hour(farm.state, 0, now + HOUR).values()
    held = {
        job.number: sum(
            (now if attempt.ended_us is None else attempt.ended_us) - attempt.assigned_us
            for task in job.tasks
            for attempt in task.attempts
        )
        for job in farm.state.jobs.values()
    }
    price = {
        number: MACHINE.preemptible_micro_usd_per_hour
        if job.preemptible
        else MACHINE.price_micro_usd_per_hour
        for number, job in farm.state.jobs.items()
    }
    assert sum(usage.time_us for usage in hours) == sum(held.values())
    assert sum(usage.core_time_us for usage in hours) == MACHINE.cores * sum(held.values())
    assert sum(usage.license_cost for usage in hours) == MACHINE.license_micro_usd_per_hour * sum(
        held.values()
    )
    assert sum(usage.instance_cost for usage in hours) == sum(
        price[number] * us for number, us in held.items()
    )


@given(farms, lives, st.lists(st.integers(0, 5 * HOUR), max_size=3))
def test_a_job_that_has_ended_stays_ended_while_nobody_does_anything(
    options: dict[str, Any], life: list[Step], later: list[int]
) -> None:
    farm = Farm(**options)
    live(farm, life)
    ended = {
        job.number: tasks.job_status(job) for job in farm.state.jobs.values() if tasks.job_has_ended(job)
    }
    for us in later:
        farm.advance(us)
        assert {number: tasks.job_status(farm.state.jobs[number]) for number in ended} == ended


Shown = dict[tuple[int, int], tuple[JobStatus, list[TaskStatus]]]
"""What was shown of each job at each time: the last, since several things may be done in one moment."""


def watched(farm: Farm, life: list[Step]) -> Shown:
    """Let a life happen; what was shown."""
    shown: Shown = {}

    def note() -> None:
        for job in farm.state.jobs.values():
            now = tasks.job_status(job), [task.status for task in job.tasks]
            shown[job.number, farm.state.now_us] = now

    def watch(us: int) -> None:
        note()
        for _ in moments(farm, us):
            note()

    live(farm, life, watch)
    watch(HOUR)
    return shown


def is_as_it_was(state: State, shown: Shown) -> bool:
    return all(
        history.job_status_at(state, state.jobs[number], t_us) == then
        for (number, t_us), then in shown.items()
    )


@given(farms, lives)
def test_a_job_as_it_was_at_any_time_is_what_was_shown_then(
    options: dict[str, Any], life: list[Step]
) -> None:
    farm = Farm(**options)
    assert is_as_it_was(farm.state, watched(farm, life))


@given(farms, crowded_lives, st.booleans())
def test_what_is_done_to_a_task_in_one_moment_is_told_as_it_was_in_its_order(
    options: dict[str, Any], life: list[Step], release_scouts: bool
) -> None:
    farm = Farm(**options, release_scouts=release_scouts)
    assert is_as_it_was(farm.state, watched(farm, life))


@given(farms, crowded_lives, crowded_lives, st.integers(1, HOUR))
def test_a_job_as_it_was_since_an_upgrade_is_what_was_shown_since(
    options: dict[str, Any], before: list[Step], since: list[Step], between_us: int
) -> None:
    """A snapshot from before does not say what came first in one moment; where its times do, all is known since."""
    farm = Farm(**options)
    live(farm, before)
    farm.state = as_before(farm.state)
    for job in farm.state.jobs.values():
        now = tasks.job_status(job), [task.status for task in job.tasks]
        assume(history.job_status_at(farm.state, job, farm.state.now_us) == now)
    farm.advance(between_us)
    assert is_as_it_was(farm.state, watched(farm, since))


@given(farms, lives, st.lists(st.sampled_from(REPORTS), max_size=3))
def test_what_waits_for_daemons_is_what_a_look_at_every_job_finds(
    options: dict[str, Any], life: list[Step], reports: list[DownloadStatus]
) -> None:
    """The lines and the watch over leases are indexes: they follow from the rest, and are made of it again."""
    farm = Farm(**options)
    live(farm, life)
    state = farm.state
    for status in reports:
        farm.advance(HOUR)
        found = next((one for place in LOCATIONS for one in downloads.waiting(state, place)), None)
        if found is not None:
            farm.do(downloads.offer(state, *found))
            said = downloads.report(state, lookup.download_id(*found), status=status, bytes_downloaded=1)
            assert said is not None
            farm.do(said)
    for location in LOCATIONS:
        there = [job for job in state.jobs.values() if job.location == location]
        to_bring = [job for job in there if job.upload is not None and job.upload.status == "pending"]
        assert queues.first_to_bring(state, location) == (to_bring[0] if to_bring else None)
        assert list(downloads.waiting(state, location)) == [
            (job, index)
            for job in there
            for index, task in enumerate(job.tasks)
            if task.status == "success" and task.download is not None and task.download.status == "pending"
        ]
    assert image(snapshot.read(snapshot.write(state))) == image(state)
