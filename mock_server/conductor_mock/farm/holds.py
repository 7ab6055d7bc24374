"""What does not go on unless somebody acts: jobs that are held, and jobs that wait for files which nobody brings."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from conductor_mock.farm import tasks
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.state import Job, State, Task
from conductor_mock.farm.statuses import DELIVERED, ENDED, Action, JobStatus, Phase, TaskStatus

_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Hold:
    """A job that does not go on by itself."""

    job: int
    status: JobStatus
    tasks: int
    """How many of its tasks wait."""
    reason: str
    """What for, as a sentence that names the job."""
    command: str | None
    """What a user of the client types, None where nobody has to: a daemon is at work."""
    action: Action | None
    """What `jobs.act` does about it, None where no action helps."""


def holds(state: State) -> Iterator[Hold]:
    """Every job that does not go on unless somebody acts, oldest first."""
    for job in state.jobs.values():
        hold = hold_of(state, job)
        if hold is not None:
            yield hold


def hold_of(state: State, job: Job) -> Hold | None:
    """What keeps a job from going on, None if it goes on by itself or has ended."""
    name, status, count = jid(job.number), tasks.job_status(job), len(job.tasks)
    if job.phase == Phase.UPLOAD_PENDING:
        at = f" of the location {job.location!r}" if job.location else ""
        option = f" --location {shlex.quote(job.location)}" if job.location else ""
        reason = f"job {name} waits for an uploader daemon{at}"
        return Hold(job.number, status, count, reason, f"conductor uploader --once{option}", None)
    if job.phase == Phase.UPLOADING:
        reason = f"job {name} waits for the files that an uploader daemon brings"
        return Hold(job.number, status, count, reason, None, None)
    if job.phase == Phase.SYNC_FAILED:
        reason = f"job {name} does not begin: {job.note}"
        return Hold(job.number, status, count, reason, f"conductor retry --sync {name}", Action.RETRY_SYNC)
    if job.phase == Phase.READY and status == JobStatus.HOLDING:
        return _held(state, job)
    return None


def _held(state: State, job: Job) -> Hold:
    name, status, count = jid(job.number), tasks.job_status(job), job.counts[TaskStatus.HOLDING]
    for_scouts = sum(map(_waits_for_scouts, job.tasks))
    if not for_scouts:
        reason = _counted(count, name, "is held", "are held")
        return Hold(job.number, status, count, reason, f"conductor unhold {name}", Action.UNHOLD)
    what = f"for {_scouts(job)} to {'succeed' if state.options.release_scouts else 'be approved'}"
    reason = _counted(for_scouts, name, f"waits {what}", f"wait {what}")
    if count > for_scouts:
        reason += f", {count - for_scouts} more {'is' if count - for_scouts == 1 else 'are'} held"
    command = f"conductor unhold --scouts {name}"
    return Hold(job.number, status, count, reason, command, Action.RELEASE_SCOUTS)


def _waits_for_scouts(task: Task) -> bool:
    """Whether a task is held since its job came: what is held or released later has a mark."""
    return task.status == TaskStatus.HOLDING and not task.marks


def _counted(count: int, name: str, one: str, several: str) -> str:
    return f"1 task of job {name} {one}" if count == 1 else f"{count} tasks of job {name} {several}"


def _scouts(job: Job) -> str:
    """The scout frames of a job, as its tasks have them, and which of these tasks came to nothing."""
    scouts = [(index, task) for index, task in enumerate(job.tasks) if task.scout]
    frames = [task.frames for _, task in scouts[:_MAX_NAMED]]
    if len(scouts) > _MAX_NAMED:
        shown = f"{', '.join(frames)} and {len(scouts) - _MAX_NAMED} more"
    else:
        shown = " and ".join([*filter(None, [", ".join(frames[:-1])]), frames[-1]])
    lost = [
        f"task {tid(index)} is {task.status}" for index, task in scouts if task.status in ENDED - DELIVERED
    ]
    named = f"the scout frame{'s' if len(scouts) > 1 or not frames[0].isdigit() else ''} {shown}"
    return f"{named} ({', '.join(lost[:_MAX_NAMED])})" if lost else named
