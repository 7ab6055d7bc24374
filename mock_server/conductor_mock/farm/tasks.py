"""The life of a task: the only code that changes a task's status, and what a job's status is made of."""

from __future__ import annotations

from collections.abc import Mapping

from conductor_mock.farm.state import DELIVERED, ENDED, READY, Attempt, Download, Job, Task


def add(job: Job, task: Task) -> None:
    """Give a new job one more task."""
    job.tasks.append(task)
    job.counts[task.status] += 1
    job.scouts_left += task.scout


def is_active(task: Task) -> bool:
    """Whether the task has an instance, booting or running."""
    return bool(task.attempts) and task.attempts[-1].ended_us is None


def tries(task: Task, outcome: str) -> int:
    """How many attempts ended so since somebody last started the task again."""
    return sum(attempt.outcome == outcome for attempt in task.attempts[task.tries_from :])


def move(job: Job, task: Task, status: str) -> None:
    """Put a task into another status."""
    job.counts[task.status] -= 1
    task.status = status
    job.counts[status] += 1


def mark(job: Job, task: Task, status: str, now_us: int) -> None:
    """Put a task into another status for a reason that no attempt shows."""
    if task.marks is None:
        task.marks = []
    task.marks.append((now_us, status))
    move(job, task, status)


def set_phase(job: Job, phase: str, note: str, now_us: int) -> None:
    """Put a job into another phase, and say why."""
    job.phase, job.note = phase, note
    job.phases.append((now_us, phase))


def assign(task: Task, attempt: Attempt) -> None:
    """A new attempt has an instance; what an earlier one left is gone."""
    task.attempts = (*task.attempts, attempt)
    task.outputs = None
    task.download = None


def settle(job: Job, task: Task, outcome: str) -> None:
    """The task has ended, for good as far as the farm is concerned."""
    if outcome == "success":
        task.download = Download()
    move(job, task, outcome)


def restart(job: Job, task: Task, now_us: int) -> None:
    """Somebody starts an ended task again, from the beginning."""
    if task.scout and job.scouts_left and task.status in DELIVERED:
        job.scouts_left += 1  # what it showed no longer counts
    task.tries_from = len(task.attempts)
    task.outputs = None
    task.download = None
    mark(job, task, "pending", now_us)


def job_status(job: Job) -> str:
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


def status_of(phase: str, counts: Mapping[str, int]) -> str:
    """The status of a job in a phase with so many tasks in each status; see `job_status`."""
    if phase != READY:
        return phase
    for status in ("running", "pending", "holding", "killed", "failed", "preempted", "success", "downloaded"):
        if counts.get(status):
            return status
    return "reviewed" if counts.get("reviewed") else "success"


def job_has_ended(job: Job) -> bool:
    """Whether nothing more happens to the job without an action."""
    return job_status(job) in ENDED


def description(job: Job) -> str:
    """Why a job is in its status, in words."""
    if job.phase != READY:
        return job.note
    counts = job.counts
    if not job.tasks:
        return "upload only: there is nothing to render"
    delivered = sum(counts[status] for status in DELIVERED)
    words = {
        "running": f"{counts['running']} of {len(job.tasks)} tasks are running",
        "pending": f"{counts['pending']} of {len(job.tasks)} tasks wait for machines",
        "holding": f"{counts['holding']} of {len(job.tasks)} tasks are held",
        "failed": f"{counts['failed']} of {len(job.tasks)} tasks failed",
        "preempted": f"{counts['preempted']} of {len(job.tasks)} tasks were preempted",
        "killed": f"{counts['killed']} of {len(job.tasks)} tasks were killed",
    }
    said = words.get(job_status(job), f"{delivered} of {len(job.tasks)} tasks succeeded")
    return said if not job.lost else f"{said}; {job.lost} were started again when their server had ended"
