"""What can happen to an account: each accepted write is one of these, and the log holds nothing else.

A command is stored as `(kind, version, JSON object)`; `records.py` reads what older versions wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.encoding import Codec, Forms, codec_of
from conductor_mock.farm.payload import Submission
from conductor_mock.farm.statuses import Action, DownloadStatus, Outcome
from conductor_mock.farm.values import Machine, Options, OutputFile

if TYPE_CHECKING:
    from typing_extensions import Self

Json = dict[str, Any]


class _Plain:
    """A command whose JSON is an object of its fields, those apart that say nothing new (`compare=False`)."""

    __slots__ = ()

    def to_json(self) -> Json:
        cls: type = type(self)
        written: Json = _codec(cls).encode(self)
        return written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The command of a stored JSON object. Raises EncodingError."""
        this: type = cls
        command: Self = _codec(this).decode(data)
        return command


class _Bare(_Plain):
    """A command of one field, whose JSON is that of the field's value."""

    __slots__ = ()

    def to_json(self) -> Json:
        (written,) = super().to_json().values()
        value: Json = written
        return value

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        (field,) = fields(cast(Any, cls))
        return super().from_json({field.name: data})


@cache
def _codec(cls: type) -> Codec:
    # What does not make two records different is no part of their JSON.
    return codec_of(cls, Forms(omitted=lambda _, part: not part.compare))


@dataclass(frozen=True, slots=True)
class AccountOpened(_Plain):
    """The first command of every account. `key_sha256` is of the private key that opened it."""

    kind: ClassVar[str] = "account.opened"
    version: ClassVar[int] = 2

    client_id: str
    account_id: str
    key_sha256: str
    options: Options
    clock: Anchor


@dataclass(frozen=True, slots=True)
class OptionsChanged(_Bare):
    """The server was started with other options than the account's log says."""

    kind: ClassVar[str] = "options.changed"
    version: ClassVar[int] = 2

    options: Options


@dataclass(frozen=True, slots=True)
class ClockSet(_Bare):
    """Simulated time was advanced by hand, or its speed changed; later times count from this anchor."""

    kind: ClassVar[str] = "clock.set"
    version: ClassVar[int] = 1

    clock: Anchor


@dataclass(frozen=True, slots=True)
class JobCreated(_Plain):
    """`POST /jobs/` was accepted.

    `payload` is the JSON object as received; `missing` are the paths of files that it says are uploaded and the store
    does not hold; `warnings` say what the contract does not know. `idempotency_key` (since version 2) is the header
    that the request carried, if it did. `submission` is the payload as it was read when the job was accepted, and
    `received` the UTF-8 of the JSON that it was read from; a log has the payload alone.
    """

    kind: ClassVar[str] = "job.created"
    version: ClassVar[int] = 2

    payload: Json
    body_sha256: str
    machine: Machine
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    idempotency_key: str | None = None
    submission: Submission | None = field(default=None, compare=False, repr=False)
    received: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UploadClaimed(_Plain):
    """`uploads.next` handed a job's files to a daemon, for `lease_us` simulated microseconds between two reports."""

    kind: ClassVar[str] = "upload.claimed"
    version: ClassVar[int] = 1

    job: int
    lease_us: int


@dataclass(frozen=True, slots=True)
class UploadProgressed(_Plain):
    """`uploads.update`: how far a daemon is, in bytes."""

    kind: ClassVar[str] = "upload.progressed"
    version: ClassVar[int] = 1

    job: int
    bytes_to_send: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class UploadFinished(_Plain):
    """`uploads.finish`: the files are there, but for the `problems`, which fail the job."""

    kind: ClassVar[str] = "upload.finished"
    version: ClassVar[int] = 1

    job: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UploadFailed(_Plain):
    """`uploads.fail`: a daemon gave up; its text is the reason."""

    kind: ClassVar[str] = "upload.failed"
    version: ClassVar[int] = 1

    job: int
    message: str


@dataclass(frozen=True, slots=True)
class JobsActed(_Plain):
    """An action on whole jobs, such as `kill` (`actions.py` has the table)."""

    kind: ClassVar[str] = "jobs.acted"
    version: ClassVar[int] = 1

    action: Action
    jobs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TasksActed(_Plain):
    """An action on some tasks of one job."""

    kind: ClassVar[str] = "tasks.acted"
    version: ClassVar[int] = 1

    action: Action
    job: int
    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TaskForced(_Plain):
    """The control API ended a task: `status` is how."""

    kind: ClassVar[str] = "task.forced"
    version: ClassVar[int] = 1

    job: int
    task: int
    status: Outcome
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class JobChanged(_Plain):
    """Somebody gave a job another priority or another machine; None leaves it as it is."""

    kind: ClassVar[str] = "job.changed"
    version: ClassVar[int] = 1

    job: int
    priority: int | None
    machine: Machine | None


@dataclass(frozen=True, slots=True)
class RulesChanged(_Plain):
    """How tasks go from now on: the whole list of rules, checked (`outcomes.check_rule`)."""

    kind: ClassVar[str] = "rules.changed"
    version: ClassVar[int] = 1

    rules: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class OutputsListed(_Plain):
    """The outputs of a task were asked for the first time; their contents lie in the object store."""

    kind: ClassVar[str] = "outputs.listed"
    version: ClassVar[int] = 1

    job: int
    task: int
    files: tuple[OutputFile, ...]


@dataclass(frozen=True, slots=True)
class AttemptStarted(_Plain):
    """The server is about to run an attempt (from 1) for real; logged before anything is spawned.

    `run` is a name that no other run has, so that what an earlier server or an earlier life of the account left
    running is never taken for this one.
    """

    kind: ClassVar[str] = "attempt.started"
    version: ClassVar[int] = 1

    job: int
    task: int
    attempt: int
    run: str


@dataclass(frozen=True, slots=True)
class AttemptEnded(_Plain):
    """A run has ended.

    `outcome` is success, failed, lost (the server that ran it is gone) or stopped (that server was asked to stop);
    `reason` says in words what the exit code does not. `log` is the base64 md5 of what the run printed, `outputs` are
    the files that a success left; their contents are in the object store.
    """

    kind: ClassVar[str] = "attempt.ended"
    version: ClassVar[int] = 1

    job: int
    task: int
    attempt: int
    run: str
    outcome: Outcome
    exit_code: int | None
    reason: str
    log: str | None
    outputs: tuple[OutputFile, ...]


@dataclass(frozen=True, slots=True)
class AttemptLogged(_Plain):
    """The log of a run that the farm had ended (killed, preempted, forced): its base64 md5, None if it was not kept."""

    kind: ClassVar[str] = "attempt.logged"
    version: ClassVar[int] = 1

    job: int
    task: int
    attempt: int
    run: str
    log: str | None


@dataclass(frozen=True, slots=True)
class DownloadOffered(_Plain):
    """The outputs of a task were handed to a downloader, or one of them (`file`) to a file-by-file one."""

    kind: ClassVar[str] = "download.offered"
    version: ClassVar[int] = 1

    job: int
    task: int
    file: int | None
    lease_us: int


@dataclass(frozen=True, slots=True)
class DownloadReported(_Plain):
    """A downloader reported: `status` is downloading, downloaded or pending; `file` as in DownloadOffered."""

    kind: ClassVar[str] = "download.reported"
    version: ClassVar[int] = 1

    job: int
    task: int
    file: int | None
    status: DownloadStatus
    bytes_downloaded: int


@dataclass(frozen=True, slots=True)
class CatalogReplaced(_Plain):
    """The control API gave the account a catalogue of its own: a whole, checked document (None: the server's again)."""

    kind: ClassVar[str] = "catalog.replaced"
    version: ClassVar[int] = 1

    document: Json | None


Command = (
    AccountOpened
    | OptionsChanged
    | ClockSet
    | JobCreated
    | UploadClaimed
    | UploadProgressed
    | UploadFinished
    | UploadFailed
    | JobsActed
    | TasksActed
    | TaskForced
    | OutputsListed
    | AttemptStarted
    | AttemptEnded
    | AttemptLogged
    | DownloadOffered
    | DownloadReported
    | CatalogReplaced
    | JobChanged
    | RulesChanged
)
