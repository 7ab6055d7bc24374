"""The state of one account: the fold of its log, kept in memory and in snapshots.

A snapshot is the truth after an upgrade (design, rule 4), so the JSON form (`snapshot.py`) is a file format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.values import Machine, Options, OutputFile

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
class Execution:
    """What is known of an attempt that runs for real: the name of its run once it was started, how it ended.

    `log` is the base64 md5 of what it said, empty if that was not kept; None until all of it was said. `reason` says
    why it ended, where there is more to say than an exit code.
    """

    run: str = ""
    log: str | None = None
    reason: str = ""


@dataclass(slots=True)
class Attempt:
    """One run of a task on an instance of its own.

    The instance was taken at `assigned_us` and has booted at `started_us`; the attempt will end at `ends_us` as
    `planned`. `ended_us` and `outcome` are what became of it; None and `running` until then. `machine` counts the
    machines that its job had before the one that the attempt has (`Job.machine_of`). An attempt with an `execution`
    runs for real: unless it is to be preempted nobody knows when it ends, so `ends_us` is None.
    """

    assigned_us: int
    started_us: int
    ends_us: int | None
    planned: str
    exit_code: int | None = None
    ended_us: int | None = None
    outcome: str = "running"
    machine: int = 0
    execution: Execution | None = None


@dataclass(slots=True)
class Download:
    """What became of the outputs of a task's last attempt: wanted, on their way, or delivered.

    `given` and `done` are the numbers of the files that a file-by-file daemon (wire reference 2.21) took and brought.
    """

    status: str = "pending"
    lease: Lease | None = None
    bytes_downloaded: int = 0
    given: frozenset[int] = frozenset()
    done: frozenset[int] = frozenset()


@dataclass(slots=True)
class Task:
    """One command of a job. `frames` is the text that the submitter gave, or empty.

    `outputs` are stored when first listed and never drawn again (design, rule 8); None until then. `tries_from` is the
    number of attempts before somebody last started the task again: the auto-retry policy counts from there. `marks`
    are the changes of status that no attempt shows, `(t_us, status)`: held, released, killed, downloaded, reviewed.
    """

    command: str
    frames: str
    status: str = "pending"
    scout: bool = False
    attempts: tuple[Attempt, ...] = ()
    tries_from: int = 0
    marks: list[tuple[int, str]] | None = None
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

    `phase` is `ready`, or what keeps the job from its tasks: upload_pending, uploading, syncing, sync_failed, failed,
    killed; `phases` is its history, `(t_us, phase)`. `retries` is the auto-retry policy: how often a task that failed
    or was preempted is started again. `max_instances` 0 is no limit. `ran_us` is how long its ended
    attempts ran, `ended_us` when nothing was left to do. `machine` is what the next attempts get,
    `former_machines` are those before it. `counts` is how many tasks are in each status, kept by `tasks.move`;
    `waiting` (a heap of tasks), `queued` (the priority with which the job stands in the queue),
    `active` (instances) and `syncs` belong to `simulation`; `to_deliver` (a flag for each task) and `undelivered`
    (how many are set) belong to `queues`. `lost` counts runs that went down with their server, so that their tasks
    were started again.
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
    environment: Mapping[str, str]
    upload_files: int
    upload_size: int
    phase: str
    note: str
    tasks: list[Task]
    warnings: tuple[str, ...] = ()
    upload: Upload | None = None
    retries: Mapping[str, int] = field(default_factory=dict)
    max_instances: int = 0
    scouts_left: int = 0
    notify: tuple[str, ...] = ()
    ran_us: int = 0
    ended_us: int | None = None
    phases: list[tuple[int, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    waiting: list[int] = field(default_factory=list)
    queued: int | None = None
    to_deliver: bytearray = field(default_factory=bytearray)
    undelivered: int = 0
    active: int = 0
    syncs: int = 0
    synced_us: int | None = None
    former_machines: list[Machine] = field(default_factory=list)
    lost: int = 0

    def machine_of(self, attempt: Attempt) -> Machine:
        """The machine that an attempt has or had, whatever the job's is now."""
        former = self.former_machines
        return former[attempt.machine] if attempt.machine < len(former) else self.machine


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that a job caused when it ended (wire reference 3.1, `notify`)."""

    t_us: int
    job: int
    status: str
    to: tuple[str, ...]


@dataclass(slots=True)
class State:
    """One account at simulated time `now_us`, after the `seq`-th command of its log.

    `catalog_seq` is the command that gave the account a catalogue of its own, if one did.
    `rules` say how tasks go (`outcomes`); `outbox` holds the mails that jobs caused when they ended. `events`, `queue`
    (of jobs that want a slot) and `active` (instances) belong to `simulation` and follow from the rest; `happened`
    counts what it has done since the state was made or read, so that work can be cut into slices.
    `keys` are the Idempotency-Keys that made a job: `(sha256 of the request's body, number of the job)`.
    `leased` and `watched` are indexes of what has a lease, for `leases`; `to_bring` and `to_deliver` (jobs of each
    location) of what daemons may be handed, for `queues`. `executing` are the attempts under way that run for real,
    (job, task) -> number, in the order of their start.
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
    rules: tuple[Json, ...] = ()
    outbox: list[Mail] = field(default_factory=list)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    events: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    queue: list[tuple[int, int]] = field(default_factory=list)
    active: int = 0
    happened: int = 0
    leased: set[tuple[int, int]] = field(default_factory=set)
    watched: list[tuple[int, int, int]] = field(default_factory=list)
    to_bring: dict[str, list[int]] = field(default_factory=dict)
    to_deliver: dict[str, list[int]] = field(default_factory=dict)
    executing: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def next_job_number(self) -> int:
        return len(self.jobs) + 1
