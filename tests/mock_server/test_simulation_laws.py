"""The farm's laws in whole lives: jobs of every kind, daemons, rules and people's actions in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import (
    actions,
    billing,
    downloads,
    history,
    lookup,
    outcomes,
    queues,
    snapshot,
    tasks,
    uploads,
)
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import ClockSet, Command, JobCreated, RulesChanged
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.refusals import InvalidRequestError, NotThereError, StateForbidsError
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import FORCED, DownloadStatus, JobStatus, Outcome, Phase, TaskStatus
from support.simulated import HOUR, MACHINE, Farm, farms, job_of, payloads

LOCATIONS = ["", "london"]


@dataclass(frozen=True)
class Step:
    """Time passes, then something is done: `kind` to the `job`-th job (from 1, or the last) and its `task`-th task."""

    after_us: int
    kind: str
    job: int
    task: int
    choice: int
    payload: dict[str, Any]


FILE = {"destination": "/a", "md5": None, "st_size": 1}
ACTS = sorted(actions.ACTIONS)
TASK_ACTS = [name for name in ACTS if actions.ACTIONS[name].on_tasks]
RULES: list[list[dict[str, Any]]] = [
    [],
    [{"match": {"frames": "1"}, "outcome": ["preempted", "failed", "success"], "duration": 40}],
    [{"match": {}, "outcome": "failed"}],
    [{"match": {"jid": "1"}, "duration": 0}],
]
REPORTS = list(DownloadStatus)

SUBMIT = ["submit", "submit in chunks", "submit for a daemon"]
KINDS = [
    *SUBMIT, *(["act", "act on task"] * 4), "force", "rules", "claim", "finish", "fail", "take", "report", "speed",
]  # fmt: skip

RETRIES = {"failed": {"max_retries": 2}, "preempted": {"max_retries": 1}}
OUTCOMES = ["failed,success", "preempted,failed,success", "preempted,preempted", "success"]

lively = st.builds(
    lambda payload, how: {"autoretry_policy": RETRIES, "metadata": {"mock_outcome": how}, **payload},
    payloads,
    st.sampled_from(OUTCOMES),
)
"""Payloads of which most have attempts that fail and are tried again."""


def steps(kinds: list[str]) -> st.SearchStrategy[Step]:
    waits = st.sampled_from([0, 1, SECOND, 30 * SECOND, 60 * SECOND, 61 * SECOND, 200 * SECOND, HOUR])
    return st.builds(
        Step,
        waits | st.integers(0, HOUR),
        st.sampled_from(kinds),
        st.integers(1, 4),
        st.integers(0, 5),
        st.integers(0, 11),
        lively,
    )


lives = st.builds(
    lambda first, then: first + then,
    st.lists(steps(SUBMIT), min_size=1, max_size=3),
    st.lists(steps(KINDS), max_size=10),
)
"""What happens to an account: some jobs come, then anything."""


def live(farm: Farm, life: list[Step], wait: Callable[[int], None] | None = None) -> None:
    """Let a life happen; what the state forbids is left out, as a server would refuse it."""
    for step in life:
        (wait or farm.advance)(step.after_us)
        try:
            command = commanded(farm.state, step)
        except (StateForbidsError, InvalidRequestError, NotThereError):
            continue
        if command is not None:
            farm.do(command)


def commanded(state: State, step: Step) -> Command | None:
    name, location = jid(min(step.job, len(state.jobs))), LOCATIONS[step.choice % 2]
    match step.kind:
        case "submit":
            return job_of(1 + step.task, **step.payload, location=location)
        case "submit in chunks":
            return in_chunks(step, location)
        case "submit for a daemon":
            daemon = {"local_upload": False, "upload_files": [FILE], "location": location}
            return job_of(step.task, **step.payload, **daemon)
        case "act":
            return actions.act_on_jobs(state, ACTS[step.choice % len(ACTS)], [name])
        case "act on task":
            return actions.act_on_tasks(
                state, TASK_ACTS[step.choice % len(TASK_ACTS)], name, [tid(step.task)]
            )
        case "force":
            status = FORCED[step.choice % len(FORCED)]
            return actions.force(state, name, tid(step.task), status, None)
        case "rules":
            return RulesChanged(tuple(outcomes.check_rule(rule) for rule in RULES[step.choice % len(RULES)]))
        case "speed":
            return ClockSet(Anchor(0, state.now_us, [0, 1_000_000, 60_000_000][step.choice % 3]))
    return by_daemon(state, step, name, location)


def in_chunks(step: Step, location: str) -> JobCreated:
    """A job of the documented API, whose tasks the service makes."""
    body = {
        "instance_type": MACHINE.name, "output_path": "/out", "command": "render -f <frame args>", "tasks_data": [],
        "frame_range": f"1-{1 + step.choice}", "chunk_size": 1 + step.task, "location": location, **step.payload,
    }  # fmt: skip
    return JobCreated(body, "", MACHINE)


def by_daemon(state: State, step: Step, name: str, location: str) -> Command | None:
    match step.kind:
        case "claim":
            return uploads.claim(state, location)
        case "finish":
            held = step.choice % 3 > 0
            job = lookup.upload(state, f"u{name}")
            wanted = {"upload_files": [FILE]} if job.upload_files else {}
            return uploads.finish(
                state, f"u{name}", reported={}, payload=wanted, held_md5=lambda *_: "there" if held else None
            )
        case "fail":
            return uploads.fail(state, f"u{name}", "no disk")
        case "take":
            found = next(downloads.waiting(state, location), None)
            return None if found is None else downloads.offer(state, *found)
    taken = [
        (job, index)
        for job in state.jobs.values()
        for index, task in enumerate(job.tasks)
        if task.download is not None and task.download.status != "pending"
    ]
    if not taken:
        return None
    job, index = taken[step.task % len(taken)]
    status = REPORTS[step.choice % len(REPORTS)]
    return downloads.report(state, lookup.download_id(job, index), status=status, bytes_downloaded=1)


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


@given(farms, lives)
def test_a_job_as_it_was_at_any_time_is_what_was_shown_then(
    options: dict[str, Any], life: list[Step]
) -> None:
    """Of what is shown at one time the last counts: several things may be done in one moment."""
    farm = Farm(**options)
    shown: dict[tuple[int, int], tuple[JobStatus, list[TaskStatus]]] = {}

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
    for (number, t_us), then in shown.items():
        assert history.job_status_at(farm.state, farm.state.jobs[number], t_us) == then


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
    again = snapshot.read(snapshot.write(state))
    assert {key: line for key, line in state.to_deliver.items() if line} == again.to_deliver
    assert again.leased <= state.leased
    assert [job.to_deliver.count(1) for job in state.jobs.values()] == [
        job.undelivered for job in state.jobs.values()
    ]
