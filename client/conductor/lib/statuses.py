"""What jobs and tasks can be (wire reference 7.1, 7.2). A service may come to show others; those are plain text."""

from __future__ import annotations

from enum import Enum


class _Text(str, Enum):
    """An enumeration of texts: a member equals its value, and is shown as it."""

    def __str__(self) -> str:
        return str(self.value)


class TaskStatus(_Text):
    """The statuses of tasks, each a counter of a job."""

    PENDING = "pending"
    HOLDING = "holding"
    RUNNING = "running"
    SUCCESS = "success"
    DOWNLOADED = "downloaded"
    FAILED = "failed"
    PREEMPTED = "preempted"
    KILLED = "killed"
    REVIEWED = "reviewed"


class JobStatus(_Text):
    """The statuses of jobs, in the order of a job's life."""

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


_NOT_ENDED = {TaskStatus.PENDING, TaskStatus.HOLDING, TaskStatus.RUNNING}

TASK_ENDED = frozenset(status.value for status in TaskStatus if status not in _NOT_ENDED)
"""Those of a task that neither waits nor runs. As texts, to ask for what a service shows."""

JOB_ENDED = TASK_ENDED | {JobStatus.SYNC_FAILED.value}
"""Those of a job with which nothing more happens by itself: a failed sync waits for a person."""

SUCCEEDED = frozenset({JobStatus.SUCCESS.value, JobStatus.DOWNLOADED.value, JobStatus.REVIEWED.value})
"""Those of a job or task that was rendered."""

UNRENDERED = TASK_ENDED - SUCCEEDED
"""Those of a task that ended in another way."""
