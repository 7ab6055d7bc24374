"""The jobs of an account as a table: what a job is and how far it has come, found by its counters alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conductor_mock.context import base_url
from conductor_mock.control.selection import state_to_show
from conductor_mock.dashboard.shown import chosen_names, chosen_values, money, show, slice_of, span
from conductor_mock.farm import billing, tasks
from conductor_mock.farm.clock import iso
from conductor_mock.farm.ids import jid
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DELIVERED, ENDED, JobStatus, TaskStatus

NAMED = ("project", "user", "location", "metadata")
"""Filters that offer names of the jobs."""
FILTERS = ("status", "text", "sort")
MOST_NAMES = 200
"""Projects, users, locations and names of metadata that the filter offers, of each."""
ORDER = (
    TaskStatus.REVIEWED,
    TaskStatus.DOWNLOADED,
    TaskStatus.SUCCESS,
    TaskStatus.RUNNING,
    TaskStatus.FAILED,
    TaskStatus.PREEMPTED,
    TaskStatus.KILLED,
    TaskStatus.HOLDING,
    TaskStatus.PENDING,
)
"""Of the parts of a bar, from the left."""
UNHAPPY = (TaskStatus.FAILED, TaskStatus.PREEMPTED, TaskStatus.KILLED)

SORTS: Mapping[str, tuple[Callable[[State, Job], Any], bool]] = {
    "newest": (lambda _, job: job.number, True),
    "oldest": (lambda _, job: job.number, False),
    "title": (lambda _, job: job.title.casefold(), False),
    "status": (lambda _, job: list(JobStatus).index(tasks.job_status(job)), False),
    "project": (lambda _, job: job.project.casefold(), False),
    "user": (lambda _, job: job.owner.casefold(), False),
    "priority": (lambda _, job: job.priority, True),
    "progress": (lambda _, job: _delivered(job.counts) / len(job.tasks) if job.tasks else 1.0, True),
    "cost": (lambda state, job: billing.job_cost(job, state.now_us), True),
}
"""The orders of the table: by what, and whether the greatest comes first. Equal ones stay newest first."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: the tasks of one status, and how many stand before them."""

    status: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the table and its own page begin it."""

    jid: str
    title: str
    status: str
    words: str
    bar: tuple[Part, ...]
    tasks: int
    project: str
    user: str
    machine: str
    preemptible: bool
    priority: int
    average: str
    cost: str
    created: str
    age: str
    notify: tuple[str, ...]


def index() -> str:
    """The jobs that fit the filter, a page of them."""
    query = {**chosen_names(*NAMED), **chosen_values(*FILTERS)}
    with state_to_show() as state:
        account, total = state.client_id, len(state.jobs)
        found = slice_of(fitting(state, query))
        rows = [row(state, job) for job in found.items]
        projects = _names(job.project for job in state.jobs.values())
        users = _names(job.owner for job in state.jobs.values())
        locations = _names(job.location for job in state.jobs.values())
        metadata_names = _names(name for job in state.jobs.values() for name in job.metadata)
    return show(
        "index.html",
        account=account,
        jobs=rows,
        slice=found,
        query=query,
        total=total,
        projects=projects,
        users=users,
        locations=locations,
        metadata_names=metadata_names,
        statuses=list(JobStatus),
        sorts=list(SORTS),
        url=base_url(),
    )


def fitting(state: State, query: Mapping[str, str]) -> list[Job]:
    """The jobs that fit a filter, in the order that it names. A name that it does not know orders by age."""
    jobs = list(reversed(state.jobs.values()))
    status, project, user = query.get("status"), query.get("project"), query.get("user")
    location, metadata = query.get("location"), query.get("metadata")
    if status:
        jobs = [job for job in jobs if tasks.job_status(job) == status]
    if project:
        jobs = [job for job in jobs if job.project == project]
    if user:
        jobs = [job for job in jobs if job.owner == user]
    if location:
        jobs = [job for job in jobs if job.location == location]
    if metadata:
        jobs = [job for job in jobs if has_metadata(job, metadata)]
    text = query.get("text", "").casefold()
    if text:
        jobs = [job for job in jobs if says(job, text)]
    key, descending = SORTS.get(query.get("sort", ""), SORTS["newest"])
    if key is not SORTS["newest"][0]:
        jobs.sort(key=lambda job: key(state, job), reverse=descending)
    return jobs


def has_metadata(job: Job, asked: str) -> bool:
    """Whether a job has a metadata `name`, or this `name=value`; either side may hold further equals signs.

    Blanks around do not count, since a browser offers the names and people write the values.
    """
    return any(
        asked.strip() in (name.strip(), f"{name}={value}".strip()) for name, value in job.metadata.items()
    )


def says(job: Job, text: str) -> bool:
    """Whether a job has this (casefolded) text in its id, its names or its metadata."""
    told = (jid(job.number), job.title, job.project, job.owner, job.location, job.machine.name)
    return any(text in part.casefold() for part in told) or any(
        text in f"{name} {value}".casefold() for name, value in job.metadata.items()
    )


def row(state: State, job: Job) -> JobRow:
    """A job without a look at its tasks."""
    ended = sum(job.counts[status] for status in ENDED)
    return JobRow(
        jid=jid(job.number),
        title=job.title,
        status=tasks.job_status(job),
        words=words(job.counts, len(job.tasks)),
        bar=tuple(parts(job.counts)),
        tasks=len(job.tasks),
        project=job.project,
        user=job.owner,
        machine=job.machine.name,
        preemptible=job.preemptible,
        priority=job.priority,
        average=span(job.ran_us / ended) if ended and job.ran_us else "none yet",
        cost=money(billing.job_cost(job, state.now_us)),
        created=iso(job.created_us),
        age=span(state.now_us - job.created_us),
        notify=job.notify,
    )


def words(counts: Mapping[TaskStatus, int], tasks_: int) -> str:
    """How far a job of so many tasks is, such as `17 of 20, 1 failed`."""
    if not tasks_:
        return "upload only"
    bad = [f"{counts[status]} {status}" for status in UNHAPPY if counts.get(status)]
    return ", ".join([f"{_delivered(counts)} of {tasks_}", *bad])


def parts(counts: Mapping[TaskStatus, int]) -> Iterable[Part]:
    """The pieces of a job's bar, from the left."""
    start = 0
    for status in ORDER:
        count = counts.get(status, 0)
        if count:
            yield Part(status, start, count)
            start += count


def _delivered(counts: Mapping[TaskStatus, int]) -> int:
    return sum(counts.get(status, 0) for status in DELIVERED)


def _names(names: Iterable[str]) -> list[str]:
    return sorted(set(filter(None, names)))[:MOST_NAMES]
