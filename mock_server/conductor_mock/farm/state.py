"""The state of one account: the fold of its log, kept in memory and in snapshots.

A snapshot is the truth after an upgrade (design, rule 4). `snapshot.py` writes every field that is stated here, so a
field needs no more than its line; a new one goes behind those that are there and has a default, which is what a
snapshot of before has. What is DERIVED is not written: it follows from the rest, and is made again (`indexes.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.statuses import (
    DownloadStatus,
    JobStatus,
    Outcome,
    Phase,
    TaskStatus,
    UploadStatus,
)
from conductor_mock.farm.values import Machine, Options, OutputFile

Json = dict[str, Any]
_DERIVED = "derived"
DERIVED: Mapping[str, Any] = {_DERIVED: True}
"""The metadata of a field that follows from the others."""


_UNHASHED = "unhashed"
UNHASHED: Mapping[str, Any] = {_UNHASHED: True}
"""The metadata of a field that was added after bundles had the hash of a state (`snapshot.essence`): it is none of its
matter, since the same commands yield it, and what was recorded before must replay to the same hash. It stands last."""


def is_derived(field_: Field[Any]) -> bool:
    """Whether a field follows from the others."""
    return bool(field_.metadata.get(_DERIVED))


def is_unhashed(field_: Field[Any]) -> bool:
    """Whether a field has no part in the hash of a state."""
    return bool(field_.metadata.get(_UNHASHED))


@dataclass(slots=True)
class Lease:
    """Something handed out until a simulated time (design, rule 9)."""

    until_us: int
    length_us: int


@dataclass(slots=True)
class Execution:
    """What is known of an attempt that runs for real."""

    run: str = ""
    """The name of its run, once it was started."""
    log: str | None = None
    """The base64 md5 of its output, empty if that was not kept; None until all of it is known."""
    reason: str = ""
    """Why it ended, where there is more to tell than an exit code."""


@dataclass(slots=True)
class Attempt:
    """One run of a task on an instance of its own."""

    assigned_us: int
    """When the instance was taken."""
    started_us: int
    """When the instance has booted."""
    ends_us: int | None
    """When the attempt will end as `planned`; None where nobody knows, since it runs for real."""
    planned: Outcome
    exit_code: int | None = None
    ended_us: int | None = None
    """When it did end as `outcome`; None until then."""
    outcome: Outcome = Outcome.RUNNING
    machine: int = 0
    """How many machines its job had before the one that the attempt has (`Job.machine_of`)."""
    execution: Execution | None = None
    """None for an attempt that is simulated."""


@dataclass(slots=True)
class Download:
    """What became of the outputs of a task's last attempt."""

    status: DownloadStatus = DownloadStatus.PENDING
    lease: Lease | None = None
    bytes_downloaded: int = 0
    given: frozenset[int] = frozenset()
    """The numbers of the files that a file-by-file daemon (wire reference 2.21) took."""
    done: frozenset[int] = frozenset()
    """The numbers of the files that it brought."""


@dataclass(slots=True)
class Task:
    """One command of a job."""

    command: str
    frames: str
    """The text that the submitter gave, or empty."""
    status: TaskStatus
    scout: bool = False
    attempts: tuple[Attempt, ...] = ()
    tries_from: int = 0
    """The number of attempts before somebody last started the task again: the auto-retry policy counts from there."""
    marks: list[tuple[int, TaskStatus]] | None = None
    """The changes of status that no attempt shows, `(t_us, status)`: held, released, killed, downloaded, reviewed."""
    outputs: tuple[OutputFile, ...] | None = None
    """Stored when first listed and never drawn again (design, rule 8); None until then."""
    download: Download | None = None
    marked_after: list[int] | None = field(default=None, metadata=UNHASHED)
    """How many attempts it had at each of the last `marks`, since times alone do not say what came first in one moment;
    marks from before this was noted have none."""


@dataclass(slots=True)
class Upload:
    """The files of a job that an uploader daemon brings (wire reference 2.12, 2.13)."""

    status: UploadStatus = UploadStatus.PENDING
    lease: Lease | None = None
    bytes_to_send: int = 0
    bytes_sent: int = 0


@dataclass(slots=True)
class Job:
    """One accepted job."""

    number: int
    seq: int
    """Its command in the log, where the payload can be read again."""
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
    """What its next attempts get."""
    metadata: Json
    environment: Mapping[str, str]
    upload_files: int
    """How many files were uploaded for it, or are to be."""
    upload_size: int
    """The bytes of those files."""
    phase: Phase
    note: str
    """Why it is in its phase, in words; empty where the tasks tell."""
    tasks: list[Task] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    """What the contract does not know in its payload."""
    upload: Upload | None = None
    retries: Mapping[Outcome, int] = field(default_factory=dict)
    """The auto-retry policy: how often a task that ended so is started again."""
    max_instances: int = 0
    """0 is no limit."""
    scouts_left: int = 0
    """How many scouts have to succeed until the other tasks are released."""
    notify: tuple[str, ...] = ()
    """Who gets a mail when it ends."""
    ran_us: int = 0
    """How long its ended attempts ran."""
    ended_us: int | None = None
    """When nothing was left to do."""
    phases: list[tuple[int, Phase]] = field(default_factory=list)
    """The history of `phase`, `(t_us, phase)`."""
    counts: Counter[TaskStatus] = field(default_factory=Counter, metadata=DERIVED)
    """How many tasks are in each status, kept by `tasks.move`."""
    waiting: list[int] = field(default_factory=list, metadata=DERIVED)
    """A heap of tasks that wait for an instance, for `simulation`; some may not wait any more."""
    queued: int | None = field(default=None, metadata=DERIVED)
    """The priority with which it stands in `State.queue`, for `simulation`."""
    to_deliver: bytearray = field(default_factory=bytearray, metadata=DERIVED)
    """A flag for each task that has something for a downloader, for `queues`; empty if none ever had."""
    undelivered: int = field(default=0, metadata=DERIVED)
    """How many of those flags are set, for `queues`."""
    active: int = field(default=0, metadata=DERIVED)
    """Its instances, for `simulation`."""
    syncs: int = 0
    """How often its files began to be copied, or that was given up: the present one is of this number."""
    synced_us: int | None = None
    """When they will be copied; None while nothing is."""
    former_machines: list[Machine] = field(default_factory=list)
    """Those before `machine`."""
    lost: int = 0
    """How many runs went down with their server, so that their tasks were started again."""
    spent: int = field(default=0, metadata=DERIVED)
    """What its ended attempts cost, for `billing.job_cost`: micro-dollars per hour times microseconds."""
    rate: int = field(default=0, metadata=DERIVED)
    """What its instances cost now, for `billing.job_cost`: micro-dollars per hour."""
    rate_since: int = field(default=0, metadata=DERIVED)
    """The sum over its instances of that price times when they were taken, for `billing.job_cost`."""

    def machine_of(self, attempt: Attempt) -> Machine:
        """The machine that an attempt has or had, whatever the job's is now."""
        former = self.former_machines
        return former[attempt.machine] if attempt.machine < len(former) else self.machine


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that a job caused when it ended (wire reference 3.1, `notify`)."""

    t_us: int
    job: int
    status: JobStatus
    to: tuple[str, ...]


@dataclass(slots=True)
class State:
    """One account at simulated time `now_us`, after the `seq`-th command of its log."""

    client_id: str
    account_id: str
    key_sha256: str
    """Of the private key that opened it."""
    options: Options
    clock: Anchor
    opened_us: int
    now_us: int
    seq: int
    jobs: dict[int, Job] = field(default_factory=dict)
    catalog_seq: int | None = None
    """The command that gave the account a catalogue of its own, if one did."""
    rules: tuple[Json, ...] = ()
    """How tasks go (`outcomes`)."""
    outbox: list[Mail] = field(default_factory=list)
    """The mails that jobs caused when they ended, the last ones."""
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The Idempotency-Keys that made a job: `(sha256 of the request's body, number of the job)`."""
    events: list[tuple[int, int, int, int, int]] = field(default_factory=list, metadata=DERIVED)
    """A heap of what is to happen, for `simulation`; some may not happen any more."""
    queue: list[tuple[int, int]] = field(default_factory=list, metadata=DERIVED)
    """A heap of the jobs that want an instance, for `simulation`; some may not want one any more."""
    active: int = field(default=0, metadata=DERIVED)
    """Instances in use, for `simulation`."""
    happened: int = field(default=0, metadata=DERIVED)
    """How much `simulation` has done since the state was made or read, so that work can be cut into slices."""
    leased: set[tuple[int, int]] = field(default_factory=set, metadata=DERIVED)
    """What is watched because it had a lease, for `leases`."""
    watched: list[tuple[int, int, int]] = field(default_factory=list, metadata=DERIVED)
    """A heap of when to look at which lease, for `leases`."""
    to_bring: dict[str, list[int]] = field(default_factory=dict, metadata=DERIVED)
    """The jobs of each location whose files wait for an uploader, for `queues`."""
    to_deliver: dict[str, list[int]] = field(default_factory=dict, metadata=DERIVED)
    """The jobs of each location that have something for a downloader, for `queues`."""
    executing: dict[tuple[int, int], int] = field(default_factory=dict, metadata=DERIVED)
    """The attempts under way that run for real, (job, task) -> number, in the order of their start."""

    @property
    def next_job_number(self) -> int:
        return len(self.jobs) + 1
