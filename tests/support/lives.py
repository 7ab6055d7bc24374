"""Whole lives of an account: jobs of every kind, daemons, rules and people's actions in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from conductor_mock.farm import actions, downloads, lookup, outcomes, uploads
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import ClockSet, Command, JobCreated, RulesChanged
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.refusals import InvalidRequestError, NotThereError, StateForbidsError
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import FORCED, DownloadStatus
from support.simulated import HOUR, MACHINE, Farm, job_of, payloads

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


crowded_lives = st.builds(
    lambda first, then: [first, *then],
    st.builds(Step, st.just(0), st.just("submit"), st.just(1), st.integers(0, 2), st.just(0), lively),
    st.lists(
        st.builds(
            Step,
            st.sampled_from([0, 0, 0, 5 * SECOND, 65 * SECOND, 200 * SECOND]),
            st.sampled_from(["act", "act on task", "act on task", "force", "force"]),
            st.just(1),
            st.integers(0, 2),
            st.integers(0, 11),
            st.just({}),
        ),
        min_size=3,
        max_size=14,
    ),
)
"""What happens to the few tasks of one job, much of it in one and the same moment."""


def live(farm: Farm, life: list[Step], wait: Callable[[int], None] | None = None) -> None:
    """Let a life happen; what the state forbids is left out, as a server would refuse it."""
    for step in life:
        (wait or farm.advance)(step.after_us)
        command = decided(farm.state, step)
        if command is not None:
            farm.do(command)


def decided(state: State, step: Step) -> Command | None:
    """The command of a step; None where the state forbids it, or it would change nothing."""
    try:
        return commanded(state, step)
    except (StateForbidsError, InvalidRequestError, NotThereError):
        return None


def commanded(state: State, step: Step) -> Command | None:
    name, location = jid(min(step.job, len(state.jobs))), LOCATIONS[step.choice % 2]
    if step.kind == "submit":
        return job_of(1 + step.task, **step.payload, location=location)
    if step.kind == "submit in chunks":
        return in_chunks(step, location)
    if step.kind == "submit for a daemon":
        daemon = {"local_upload": False, "upload_files": [FILE], "location": location}
        return job_of(step.task, **step.payload, **daemon)
    if step.kind == "act":
        return actions.act_on_jobs(state, ACTS[step.choice % len(ACTS)], [name])
    if step.kind == "act on task":
        return actions.act_on_tasks(state, TASK_ACTS[step.choice % len(TASK_ACTS)], name, [tid(step.task)])
    if step.kind == "force":
        status = FORCED[step.choice % len(FORCED)]
        return actions.force(state, name, tid(step.task), status, None)
    if step.kind == "rules":
        return RulesChanged(tuple(outcomes.check_rule(rule) for rule in RULES[step.choice % len(RULES)]))
    if step.kind == "speed":
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
    if step.kind == "claim":
        return uploads.claim(state, location)
    if step.kind == "finish":
        held = step.choice % 3 > 0
        job, _ = lookup.upload(state, f"u{name}")
        wanted = {"upload_files": [FILE]} if job.upload_files else {}
        return uploads.finish(
            state, f"u{name}", reported={}, payload=wanted, held_md5=lambda *_: "there" if held else None
        )
    if step.kind == "fail":
        return uploads.fail(state, f"u{name}", "no disk")
    if step.kind == "take":
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
