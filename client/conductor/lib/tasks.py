"""The tasks of a job (wire reference 2.22, 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import RefusedError
from conductor.lib.statuses import TASK_ENDED
from conductor.lib.wire.operations import TASKS_LIST
from conductor.lib.wire.records import job_id, number, records_of, task_id, text


@dataclass(frozen=True)
class Task:
    """A task as it was when it was asked for.

    ``status`` is a `TaskStatus`, or one that came later. ``frames`` and ``runtime`` (seconds) may be empty with the
    real service: a recorded task had neither (wire reference 12.2). ``record`` is all that the service said.
    """

    jid: str
    tid: str
    status: str
    frames: str
    command: str
    runtime: float
    record: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Task:
        """Read a record of ``tasks.list``."""
        return cls(
            jid=text(record, "jobLabel", "jid"),
            tid=text(record, "taskLabel", "tid"),
            status=text(record, "status"),
            frames=text(record, "frames"),
            command=text(record, "command"),
            runtime=number(record.get("runtime")),
            record=dict(record),
        )

    @property
    def has_ended(self) -> bool:
        """Whether the task neither waits nor runs."""
        return self.status in TASK_ENDED


def list_tasks(jid: int | str, *, client: ApiClient | None = None) -> list[Task]:
    """Return the tasks of a job in their order; none if there is no such job, or one that only uploads."""
    return _ask(client, f"jobLabel_eq_{job_id(jid)}")


def get_task(jid: int | str, tid: int | str, *, client: ApiClient | None = None) -> Task:
    """Return one task. Raises RefusedError if there is none of this id."""
    job, task = job_id(jid), task_id(tid)
    for listed in _ask(client, f"jobLabel_eq_{job},taskLabel_eq_{task}"):
        if listed.tid in ("", task):
            return listed
    raise RefusedError(f"{TASKS_LIST.id}: there is no task {task} of job {job}", operation=TASKS_LIST.id)


def _ask(client: ApiClient | None, filter_text: str) -> list[Task]:
    with client_or_own(client) as api:
        sent = api.calls.tasks_list(filter_text)
    tasks = [Task.from_record(record) for record in records_of(sent)]
    return sorted(tasks, key=lambda task: (len(task.tid), task.tid))
