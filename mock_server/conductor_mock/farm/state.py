"""The state of one account: the fold of its log, kept in memory and in snapshots.

A snapshot is the truth after an upgrade (design, rule 4), so the JSON form here is a file format: change it with a
reader for the old one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.commands import Machine, Options

Json = dict[str, Any]

SNAPSHOT_FORMAT = 1
"""Rises when the JSON form changes; `State.from_json` then reads the older ones too."""

JOB_STATUSES = (
    "upload_pending", "uploading", "sync_pending", "syncing", "sync_failed", "pending", "holding", "running",
    "success", "downloaded", "failed", "preempted", "killed", "reviewed",
)  # fmt: skip
"""Wire reference 7.1, in the order of a job's life."""

TASK_STATUSES = (
    "pending", "holding", "running", "success", "downloaded", "failed", "preempted", "killed", "reviewed",
)  # fmt: skip
"""Wire reference 7.2; the job record has one counter for each."""


@dataclass(slots=True)
class Task:
    """One command of a job. `frames` is the text that the submitter gave, or empty."""

    command: str
    frames: str
    status: str = "pending"


@dataclass(slots=True)
class Job:
    """One accepted job. `seq` is its command in the log, where the payload can be read again."""

    number: int
    seq: int
    created_us: int
    title: str
    owner: str
    project: str
    location: str
    output_path: str
    priority: int
    local_upload: bool
    machine: Machine
    metadata: Json
    upload_files: int
    upload_size: int
    status: str
    status_description: str
    tasks: list[Task]
    warnings: tuple[str, ...] = ()

    def counts(self) -> Counter[str]:
        """How many tasks are in each status."""
        return Counter(task.status for task in self.tasks)


@dataclass(slots=True)
class State:
    """One account at simulated time `now_us`, after the `seq`-th command of its log."""

    client_id: str
    account_id: str
    key_sha256: str
    options: Options
    clock: Anchor
    opened_us: int
    now_us: int
    seq: int
    jobs: dict[int, Job] = field(default_factory=dict)

    @property
    def next_job_number(self) -> int:
        return len(self.jobs) + 1

    def to_json(self) -> Json:
        """The snapshot form; `from_json` gives an equal state back."""
        return {
            "format": SNAPSHOT_FORMAT,
            "client_id": self.client_id,
            "account_id": self.account_id,
            "key_sha256": self.key_sha256,
            "options": self.options.to_json(),
            "clock": self.clock.to_json(),
            "opened_us": self.opened_us,
            "now_us": self.now_us,
            "seq": self.seq,
            "jobs": [_job_to_json(job) for job in self.jobs.values()],
        }

    @classmethod
    def from_json(cls, data: Json) -> State:
        jobs = [_job_from_json(job) for job in data["jobs"]]
        return cls(
            client_id=data["client_id"],
            account_id=data["account_id"],
            key_sha256=data["key_sha256"],
            options=Options.from_json(data["options"]),
            clock=Anchor.from_json(data["clock"]),
            opened_us=data["opened_us"],
            now_us=data["now_us"],
            seq=data["seq"],
            jobs={job.number: job for job in jobs},
        )


def _job_to_json(job: Job) -> Json:
    data = {
        name: getattr(job, name) for name in Job.__slots__ if name not in ("machine", "tasks", "warnings")
    }
    data["machine"] = asdict(job.machine)
    data["warnings"] = list(job.warnings)
    data["tasks"] = [[task.command, task.frames, task.status] for task in job.tasks]
    return data


def _job_from_json(data: Json) -> Job:
    fields = dict(data)
    fields["machine"] = Machine(**data["machine"])
    fields["warnings"] = tuple(data["warnings"])
    fields["tasks"] = [Task(*task) for task in data["tasks"]]
    return Job(**fields)
