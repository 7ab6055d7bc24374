"""The state of one account: the fold of its log, kept in memory and in snapshots.

A snapshot is the truth after an upgrade (design, rule 4), so the JSON form (`snapshot.py`) is a file format.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.commands import Machine, Options, OutputFile

Json = dict[str, Any]

JOB_STATUSES = (
    "upload_pending", "uploading", "sync_pending", "syncing", "sync_failed", "pending", "holding", "running",
    "success", "downloaded", "failed", "preempted", "killed", "reviewed",
)  # fmt: skip
"""Wire reference 7.1, in the order of a job's life."""

TASK_STATUSES = (
    "pending", "holding", "running", "success", "downloaded", "failed", "preempted", "killed", "reviewed",
)  # fmt: skip
"""Wire reference 7.2; the job record has one counter for each."""

ENDED = frozenset({"success", "downloaded", "failed", "preempted", "killed", "reviewed"})
DELIVERED = frozenset({"success", "downloaded", "reviewed"})
"""Statuses of a task that has outputs."""

READY = "ready"
"""The phase of a job whose files are in place: its status is that of its tasks."""


@dataclass(slots=True)
class Lease:
    """Something handed out until a simulated time (design, rule 9)."""

    until_us: int
    length_us: int


@dataclass(slots=True)
class Attempt:
    """One run of a task; `ended_us` is None while it runs."""

    started_us: int
    ended_us: int | None = None
    outcome: str = "running"
    exit_code: int | None = None


@dataclass(slots=True)
class Download:
    """What became of the outputs of a task's last attempt: wanted, on their way, or delivered.

    `given` and `done` are the numbers of the files that a file-by-file daemon (wire reference 2.21) took and brought.
    """

    status: str = "pending"
    lease: Lease | None = None
    bytes_downloaded: int = 0
    given: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Task:
    """One command of a job. `frames` is the text that the submitter gave, or empty.

    `outputs` are stored when first listed and never drawn again (design, rule 8); None until then.
    """

    command: str
    frames: str
    status: str = "pending"
    attempts: list[Attempt] = field(default_factory=list)
    outputs: tuple[OutputFile, ...] | None = None
    download: Download | None = None


@dataclass(slots=True)
class Upload:
    """The files of a job that an uploader daemon brings (wire reference 2.12, 2.13).

    `status` is pending, claimed, finished, failed or cancelled.
    """

    status: str = "pending"
    lease: Lease | None = None
    bytes_to_send: int = 0
    bytes_sent: int = 0


@dataclass(slots=True)
class Job:
    """One accepted job. `seq` is its command in the log, where the payload can be read again.

    `phase` is `ready`, or what keeps the job from its tasks: upload_pending, uploading, sync_failed, failed, killed.
    `counts` is how many tasks are in each status, kept by `tasks.move`.
    """

    number: int
    seq: int
    created_us: int
    title: str
    owner: str
    project: str
    location: str
    output_path: str
    priority: int
    preemptible: bool
    local_upload: bool
    machine: Machine
    metadata: Json
    upload_files: int
    upload_size: int
    phase: str
    note: str
    tasks: list[Task]
    warnings: tuple[str, ...] = ()
    upload: Upload | None = None
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class State:
    """One account at simulated time `now_us`, after the `seq`-th command of its log.

    `catalog_seq` is the command that gave the account a catalogue of its own, if one did.
    `leased_uploads` (job) and `leased_downloads` (job, task) are an index of what has a lease, for `leases`.
    """

    client_id: str
    account_id: str
    key_sha256: str
    options: Options
    clock: Anchor
    opened_us: int
    now_us: int
    seq: int
    jobs: dict[int, Job] = field(default_factory=dict)
    catalog_seq: int | None = None
    leased_uploads: set[int] = field(default_factory=set)
    leased_downloads: set[tuple[int, int]] = field(default_factory=set)

    @property
    def next_job_number(self) -> int:
        return len(self.jobs) + 1
