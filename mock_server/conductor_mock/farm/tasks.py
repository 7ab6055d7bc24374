"""The life of a task: the only code that changes a task's status, and what a job's status is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from conductor_contracts.problems import count as number_of
from conductor_mock.farm.state import Download, Job, State, Task
from conductor_mock.farm.statuses import (
    DELIVERED,
    JOB_ENDED,
    STATUS_AFTER,
    JobStatus,
    Outcome,
    Phase,
    TaskStatus,
)

_PENDING, _SUCCESS, _READY = TaskStatus.PENDING, Outcome.SUCCESS, Phase.READY  # a million tasks ask for them

_OF_PHASE: Mapping[Phase, JobStatus] = {
    phase: JobStatus(phase.value) for phase in Phase if phase is not Phase.READY
}
_OF_TASKS: Mapping[TaskStatus, JobStatus] = {
    status: JobStatus(status.value)
    for status in (
        TaskStatus.RUNNING,
        TaskStatus.PENDING,
        TaskStatus.HOLDING,
        TaskStatus.KILLED,
        TaskStatus.FAILED,
        TaskStatus.PREEMPTED,
        TaskStatus.SUCCESS,
        TaskStatus.DOWNLOADED,
        TaskStatus.REVIEWED,
    )
}
"""The status of a job of which a task is in one; the first that there is counts."""


def add(job: Job, task: Task) -> None:
    """Give a new job one more task."""
    job.tasks.append(task)
    job.counts[task.status] += 1
    job.scouts_left += task.scout


def rebuild(state: State) -> None:
    """Count the tasks of each job of a state that was just read."""
    for job in state.jobs.values():
        job.counts = Counter(task.status for task in job.tasks)


def is_active(task: Task) -> bool:
    """Whether the task has an instance, booting or running."""
    return bool(task.attempts) and task.attempts[-1].ended_us is None


def tries(task: Task, outcome: Outcome) -> int:
    """How many attempts ended so since somebody last started the task again."""
    return sum(attempt.outcome == outcome for attempt in task.attempts[task.tries_from :])


def move(job: Job, task: Task, status: TaskStatus) -> None:
    """Put a task into another status."""
    job.counts[task.status] -= 1
    task.status = status
    job.counts[status] += 1


def mark(job: Job, task: Task, status: TaskStatus, now_us: int) -> None:
    """Put a task into another status for a reason that no attempt shows."""
    if task.marks is None:
        task.marks = []
    if task.marked_after is None:  # there are no marks yet, or a snapshot from before had them without
        task.marked_after = []
    task.marks.append((now_us, status))
    task.marked_after.append(len(task.attempts))
    move(job, task, status)


def set_phase(job: Job, phase: Phase, note: str, now_us: int) -> None:
    """Put a job into another phase, and say why."""
    job.phase, job.note = phase, note
    job.phases.append((now_us, phase))


def settle(job: Job, task: Task, outcome: Outcome) -> None:
    """The task has ended, for good as far as the farm is concerned."""
    if outcome == _SUCCESS:
        task.download = Download()
    move(job, task, STATUS_AFTER[outcome])


def restart(job: Job, task: Task, now_us: int) -> None:
    """Somebody starts an ended task again, from the beginning."""
    if task.scout and job.scouts_left and task.status in DELIVERED:
        job.scouts_left += 1  # what it showed no longer counts
    task.tries_from = len(task.attempts)
    task.outputs = None
    task.download = None
    mark(job, task, _PENDING, now_us)


def job_status(job: Job) -> JobStatus:
    """A job's status, from its phase and its tasks; the first line that fits counts.

    ==========================================  =====================
    the files are not in place                  the phase
    no tasks (an upload-only job)               success
    a task runs                                 running
    a task is pending                           pending
    a task is held                              holding
    every task has ended, and one was killed    killed
    ... one failed                              failed
    ... one was preempted                       preempted
    ... every one is reviewed                   reviewed
    ... every one is downloaded or reviewed     downloaded
    ... else                                    success
    ==========================================  =====================

    Statuses are those of wire reference 7.1; their order is inferred.
    """
    return status_of(job.phase, job.counts)


def status_of(phase: Phase, counts: Mapping[TaskStatus, int]) -> JobStatus:
    """The status of a job in a phase with so many tasks in each status; see `job_status`."""
    if phase != _READY:
        return _OF_PHASE[phase]
    for status, of_job in _OF_TASKS.items():
        if counts.get(status):
            return of_job
    return JobStatus.SUCCESS


def job_has_ended(job: Job) -> bool:
    """Whether nothing more happens to the job without an action."""
    return status_of(job.phase, job.counts) in JOB_ENDED


def description(job: Job) -> str:
    """Why a job is in its status, in words."""
    if job.phase != _READY:
        return job.note
    counts = job.counts
    if not job.tasks:
        return "upload only: there is nothing to render"
    delivered = sum(counts[status] for status in DELIVERED)
    count, what = {
        JobStatus.RUNNING: (counts[TaskStatus.RUNNING], "are running"),
        JobStatus.PENDING: (counts[TaskStatus.PENDING], "wait for machines"),
        JobStatus.HOLDING: (counts[TaskStatus.HOLDING], "are held"),
        JobStatus.FAILED: (counts[TaskStatus.FAILED], "failed"),
        JobStatus.PREEMPTED: (counts[TaskStatus.PREEMPTED], "were preempted"),
        JobStatus.KILLED: (counts[TaskStatus.KILLED], "were killed"),
    }.get(job_status(job), (delivered, "succeeded"))
    words = f"{count} of {len(job.tasks)} tasks {what}"
    return (
        words
        if not job.lost
        else f"{words}; {number_of(job.lost, 'run')} began again when the server had ended"
    )
