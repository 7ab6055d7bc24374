"""What jobs, tasks, attempts, uploads and downloads can be, and what can be done to jobs and tasks.

`job-states.yaml` of the contracts says which becomes which, and by what; `tests/mock_server/test_job_states.py` holds
the farm to it. Each member is a text, the same on the wire, in logs, snapshots and bundles.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Text(str, Enum):
    """An enumeration of texts: what is shown or stored of a member is its value."""

    __str__ = str.__str__


class TaskStatus(Text):
    """Wire reference 7.2; the job record has one counter for each."""

    PENDING = "pending"
    HOLDING = "holding"
    RUNNING = "running"
    SUCCESS = "success"
    DOWNLOADED = "downloaded"
    FAILED = "failed"
    PREEMPTED = "preempted"
    KILLED = "killed"
    REVIEWED = "reviewed"


ENDED = frozenset(TaskStatus) - {TaskStatus.PENDING, TaskStatus.HOLDING, TaskStatus.RUNNING}
"""Statuses of a task that nothing more happens to without an action."""

DELIVERED = frozenset({TaskStatus.SUCCESS, TaskStatus.DOWNLOADED, TaskStatus.REVIEWED})
"""Statuses of a task that has outputs."""


class Phase(Text):
    """How far a job is with its files; what keeps it from its tasks, unless it is READY: then they say its status."""

    UPLOAD_PENDING = "upload_pending"
    UPLOADING = "uploading"
    SYNCING = "syncing"
    SYNC_FAILED = "sync_failed"
    READY = "ready"
    FAILED = "failed"
    KILLED = "killed"


NEVER_BEGAN = frozenset({Phase.FAILED, Phase.KILLED})
"""Phases of a job that ended before its files were there: its tasks will never begin."""

WAITS_FOR_FILES = frozenset({Phase.UPLOAD_PENDING, Phase.UPLOADING, Phase.SYNCING, Phase.SYNC_FAILED})


class JobStatus(Text):
    """Wire reference 7.1, in the order of a job's life: that of its phase, or made of those of its tasks."""

    UPLOAD_PENDING = "upload_pending"
    UPLOADING = "uploading"
    SYNCING = "syncing"
    SYNC_FAILED = "sync_failed"
    PENDING = "pending"
    HOLDING = "holding"
    RUNNING = "running"
    SUCCESS = "success"
    DOWNLOADED = "downloaded"
    FAILED = "failed"
    PREEMPTED = "preempted"
    KILLED = "killed"
    REVIEWED = "reviewed"


JOB_ENDED = frozenset(JobStatus(status.value) for status in ENDED)
"""Statuses of a job that nothing more happens to without an action."""


class Outcome(Text):
    """What became of an attempt, or is to."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    PREEMPTED = "preempted"
    KILLED = "killed"
    HOLDING = "holding"
    """The task was held while its instance booted."""
    LOST = "lost"
    """The server that ran it for real is gone."""
    STOPPED = "stopped"
    """The server that ran it for real was asked to stop."""
    UNKNOWN = ""
    """How an attempt that runs for real is to end, which nobody knows."""


DRAWN = (Outcome.SUCCESS, Outcome.FAILED, Outcome.PREEMPTED)
"""What an attempt may be drawn to come to, or be told to by a rule."""

FORCED = (*DRAWN, Outcome.KILLED)
"""What the control API may end a task as."""

NO_FAULT_OF_ITS_OWN = frozenset({Outcome.LOST, Outcome.STOPPED})
"""An attempt that ended so is followed by another one, whatever the auto-retry policy says."""

STATUS_AFTER: Mapping[Outcome, TaskStatus] = {
    outcome: TaskStatus(outcome.value) for outcome in (*FORCED, Outcome.HOLDING)
}
"""The status of a task whose attempt ended so, and that is not started again."""


class UploadStatus(Text):
    """How far an uploader daemon is with the files of a job."""

    PENDING = "pending"
    CLAIMED = "claimed"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DownloadStatus(Text):
    """What became of a task's outputs, and what a downloader reports (wire reference 7.1)."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"


class Action(Text):
    """What people do to jobs and tasks (wire reference 2.11)."""

    KILL = "kill"
    HOLD = "hold"
    UNHOLD = "unhold"
    RETRY = "retry"
    RETRY_FAILED = "retry_failed"
    RETRY_PREEMPTED = "retry_preempted"
    RETRY_SYNC = "retry_sync"
    REVIEWED = "reviewed"
    RELEASE_SCOUTS = "release_scouts"
