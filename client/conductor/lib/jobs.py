"""The jobs of an account and how far they are (wire reference 2.9, 7.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import RefusedError
from conductor.lib.statuses import JOB_ENDED, SUCCEEDED, TASK_ENDED, UNRENDERED, TaskStatus
from conductor.lib.wire.operations import JOBS_LIST
from conductor.lib.wire.records import job_id, job_ids, number, text

# More ids than this, from the first wanted to the last, are asked for one by one.
_SPAN = 200


@dataclass(frozen=True)
class Job:
    """A job as it was when it was asked for.

    ``status`` is a `JobStatus`, or one that came later. ``counts`` are tasks by `TaskStatus`. ``created`` is the
    service's text, ISO 8601 where it was seen. ``runtime`` is the sum of all tasks, in seconds. ``record`` is all that
    the service said.
    """

    jid: str
    title: str
    status: str
    status_description: str
    project: str
    owner: str
    location: str
    output_path: str
    created: str
    tasks: int
    counts: Mapping[str, int]
    runtime: float
    record: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Job:
        """Read a record of ``jobs.list``; what it lacks is empty or 0."""
        counts = {status.value: int(number(record.get(status.value))) for status in TaskStatus}
        listed = record.get("tasks")
        return cls(
            jid=text(record, "jid", "id"),
            title=text(record, "title"),
            status=text(record, "status"),
            status_description=text(record, "status_description"),
            project=text(record, "project"),
            owner=text(record, "owner", "submittedBy", "user"),
            location=text(record, "location"),
            output_path=text(record, "output_path"),
            created=text(record, "created"),
            tasks=len(listed) if isinstance(listed, list) else int(number(listed)),
            counts=counts,
            runtime=number(record.get("total_runtime")),
            record=dict(record),
        )

    @property
    def finished_tasks(self) -> int:
        """How many tasks are neither waiting nor running."""
        return sum(count for name, count in self.counts.items() if name in TASK_ENDED)

    @property
    def unrendered(self) -> Mapping[str, int]:
        """How many tasks ended without being rendered, by status; only the statuses of which there are any."""
        return {name: count for name, count in self.counts.items() if name in UNRENDERED and count}

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens unless somebody acts.

        A job of which a task failed or was preempted says so while others still run (wire reference 7.1), so the
        counters are asked too.
        """
        under_way = self.counts[TaskStatus.RUNNING] or self.counts[TaskStatus.PENDING]
        return self.status in JOB_ENDED and not under_way

    @property
    def succeeded(self) -> bool:
        """Whether it ended and every task was rendered."""
        return self.has_ended and self.status in SUCCEEDED


def list_jobs(
    *,
    jids: Iterable[int | str] | None = None,
    statuses: Iterable[str] = (),
    project: str | None = None,
    owner: str | None = None,
    since: date | None = None,
    client: ApiClient | None = None,
) -> list[Job]:
    """Return the jobs that fit everything given, oldest first.

    ``since`` is the first day on which they were submitted, in the service's time zone. Ids and days are filtered by
    the service as its clients ask it to; all else, and both again, here, since a service may ignore what it does not
    know. Ids that there are not are left out.
    """
    ids = None if jids is None else job_ids(jids)
    with client_or_own(client) as api:
        records = _records(api, ids, since)
    accepted = frozenset(statuses)
    jobs = [
        job
        for job in {job.jid: job for job in map(Job.from_record, records)}.values()
        if (ids is None or job.jid in ids)
        and (not accepted or job.status in accepted)
        and (project is None or job.project == project)
        and (owner is None or job.owner == owner)
        and (since is None or job.created[:10] >= since.isoformat())
    ]
    return sorted(jobs, key=lambda job: (len(job.jid), job.jid))


def get_job(jid: int | str, *, client: ApiClient | None = None) -> Job:
    """Return one job. Raises RefusedError if there is none of this id."""
    jobs = list_jobs(jids=[jid], client=client)
    if not jobs:
        raise RefusedError(f"{JOBS_LIST.id}: there is no job {job_id(jid)}", operation=JOBS_LIST.id)
    return jobs[0]


def _records(client: ApiClient, ids: list[str] | None, since: date | None) -> list[dict[str, Any]]:
    if ids is None:
        return client.list_jobs(f"created_gt_{since.isoformat()}" if since else "")
    records: list[dict[str, Any]] = []
    for low, high in _ranges(sorted(map(int, ids))):
        # Bounds are exclusive and padded, as the vendor's client sends them.
        records += client.list_jobs(f"jid_gt_{max(low - 1, 0):05},jid_lt_{high + 1:05}")
    return records


def _ranges(numbers: list[int]) -> Iterable[tuple[int, int]]:
    """Return first and last of what to ask for at once: all of them where they lie close together."""
    if numbers and numbers[-1] - numbers[0] < _SPAN:
        return [(numbers[0], numbers[-1])]
    return [(number, number) for number in numbers]
